// mqtt_refused.js PORT VERSION: what MQTT.js makes of a gateway that refuses
// some of what it asks for, as one line of JSON.
'use strict';

const mqtt = require('mqtt');

const [port, version] = process.argv.slice(2);
const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, {
  protocolVersion: version === '5' ? 5 : 4, reconnectPeriod: 0,
});
const told = { published: [], got: [] };

function fail(what) {
  console.error(what);
  process.exit(1);
}

setTimeout(() => fail('too late'), 30000).unref();
client.on('error', (err) => fail(err.message));
client.on('close', () => fail(`closed after ${JSON.stringify(told)}`));
client.on('message', (topic) => {
  told.got.push(topic);
  if (topic !== 'own/end') return;
  client.removeAllListeners('close');
  console.log(JSON.stringify(told));
  client.end(false, {}, () => process.exit(0));
});

// One behind the other: [topic, QoS].
function publish(todo) {
  if (todo.length === 0) return;
  client.publish(todo[0][0], 'x', { qos: todo[0][1] }, (err) => {
    told.published.push(err ? err.code : 0);
    publish(todo.slice(1));
  });
}

client.on('connect', () => {
  client.subscribe(['#', 'own/#', 'other'], { qos: 2 }, (err, granted, ack) => {
    // By MQTT.js a refusal of any filter is an error, with all codes in it.
    told.granted = (ack || err.packet).granted;
    publish([['own/a', 2], ['no', 0], ['no', 1], ['no', 2], ['own/b', 1],
      ['no', 2], ['own/end', 2]]);
  });
});
