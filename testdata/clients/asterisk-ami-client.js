'use strict';

const AmiClient = require('asterisk-ami-client');
const { say, obey } = require('./driver');

let client;

obey({
  connect(order) {
    client = new AmiClient({ reconnect: order.again, attemptsDelay: 200 });
    client.on('connect', () => say({ say: 'in' }));
    client.on('disconnect', () => say({ say: 'out' }));
    client.on('event', (fields) => say({ say: 'event', fields }));
    client.connect(order.user, order.secret, { host: order.host, port: order.port }).catch((err) => say({ say: 'refused', why: err.message }));
  },
  send(order) {
    client.action({ ...order.action, ActionID: order.id }, true)
      .then((fields) => say({ say: 'answer', id: order.id, ok: fields.Response === 'Success', fields }))
      .catch((err) => say({ say: 'answer', id: order.id, ok: false, fields: { Message: err.message } }));
  },
  leave() {
    client.action({ Action: 'Logoff' }, true).then((fields) => {
      client.disconnect();
      say({ say: 'left', why: fields.Response });
    });
  },
});
