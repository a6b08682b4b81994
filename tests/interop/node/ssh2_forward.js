// ssh2_forward.js PORT KEY LOCAL-PORT HOST HOST-PORT REKEY-BYTES
'use strict';

const { readFileSync } = require('fs');
const net = require('net');
const { Client } = require('ssh2');

const [port, key, localPort, host, hostPort, rekeyBytes] =
  process.argv.slice(2);
const client = new Client();
let sinceRekey = 0;

function count(bytes) {
  sinceRekey += bytes;
  if (+rekeyBytes && sinceRekey > +rekeyBytes) {
    sinceRekey = 0;
    // What a server of this library may ask for by its own rekey().
    client._protocol.rekey();
  }
}

client.on('ready', () => {
  net.createServer((near) => {
    client.forwardOut('127.0.0.1', near.remotePort, host, +hostPort,
      (err, far) => {
        if (err) {
          console.error(err.message);
          near.destroy();
          return;
        }
        near.on('data', (data) => count(data.length));
        near.pipe(far).pipe(near);
      });
  }).listen(+localPort, '127.0.0.1');
});
client.on('error', (err) => {
  console.error(err.message);
  process.exit(1);
});
client.connect({
  host: '127.0.0.1', port: +port, username: 'user',
  privateKey: readFileSync(key),
});
