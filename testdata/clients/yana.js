'use strict';

const AMI = require('yana');
const { say, obey } = require('./driver');

let ami;

obey({
  connect(order) {
    ami = new AMI({ host: order.host, port: order.port, login: order.user, password: order.secret, events: true, reconnect: order.again });
    ami.on('event', (fields) => say({ say: 'event', fields }));
    ami.on('error', (why) => say({ say: 'refused', why }));
    ami.on('disconnect', () => say({ say: 'out' }));
    ami.on('reconnect', () => say({ say: 'in' }));
    ami.connect(() => say({ say: 'in' }));
  },
  send(order) {
    // The library calls back for each message that has the action's id: the answer, and then what it has made events of already.
    ami.send({ ...order.action, ActionID: order.id }, (fields) => {
      if (!fields.Event) say({ say: 'answer', id: order.id, ok: fields.Response === 'Success', fields });
    });
  },
  leave() {
    ami.disconnect(() => say({ say: 'left', why: 'Goodbye' }));
  },
});
