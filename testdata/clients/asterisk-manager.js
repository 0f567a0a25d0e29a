'use strict';

const Manager = require('asterisk-manager');
const { say, obey } = require('./driver');

let manager;

// An action that is given before the log-in is held back by the library until it is in.
const announce = () => manager.action({ action: 'ping' }, (err) => err || say({ say: 'in' }));

obey({
  connect(order) {
    manager = new Manager(order.port, order.host, order.user, order.secret, true);
    if (order.again) manager.keepConnected();
    manager.on('managerevent', (fields) => say({ say: 'event', fields }));
    manager.on('connect', announce);
    manager.on('close', () => say({ say: 'out' }));
    manager.once('response', (res) => { // the first is the log-in's
      if (res.response !== 'Success') say({ say: 'refused', why: res.message });
    });
  },
  send(order) {
    manager.action({ ...order.action, actionid: order.id }, (err, res) => say({ say: 'answer', id: order.id, ok: !err, fields: err || res }));
  },
  leave() {
    manager.action({ action: 'logoff' }, (err, res) => {
      manager.disconnect();
      say({ say: 'left', why: res.response });
    });
  },
});
