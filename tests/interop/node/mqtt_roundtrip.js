// mqtt_roundtrip.js PORT VERSION QOS BYTES [USER PASSWORD]: publish so many
// bytes to itself by MQTT.js; status 0 where they came back the same.
'use strict';

const mqtt = require('mqtt');

const [port, version, qos, bytes, username, password] =
  process.argv.slice(2);
const payload = Buffer.alloc(+bytes, (i) => i);
for (let i = 0; i < payload.length; i++) payload[i] = (i * 31 + i / 251) & 255;

const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, {
  protocolVersion: version === '5' ? 5 : 4,
  username, password, reconnectPeriod: 0,
});

function fail(what) {
  console.error(what);
  process.exit(1);
}

setTimeout(() => fail('too late'), 30000).unref();
client.on('error', (err) => fail(err.message));
client.on('message', (topic, message, packet) => {
  if (packet.qos !== +qos || !message.equals(payload)) fail('not the same');
  client.end(false, {}, () => process.exit(0));
});
client.on('connect', () => {
  client.subscribe('test/mqtt-js', { qos: +qos }, (err, granted) => {
    if (err) fail(err.message);
    if (granted[0].qos !== +qos) fail(`granted ${granted[0].qos}`);
    client.publish('test/mqtt-js', payload, { qos: +qos });
  });
});
