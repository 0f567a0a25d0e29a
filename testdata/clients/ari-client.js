'use strict';

const client = require('ari-client');
const { say, obey } = require('./driver');

let ari;

// plain is what an object of the library's has beside its own.
const plain = (o) => (o && typeof o === 'object' ? Object.fromEntries(Object.entries(o).filter(([name]) => !name.startsWith('_'))) : {});

// The ids of what it makes are the library's.
const operations = {
  channels: () => ari.channels.list(),
  bridges: () => ari.bridges.list(),
  endpoints: () => ari.endpoints.list(),
  channel: ({ id }) => ari.channels.get({ channelId: id }),
  originate: ({ endpoint, app }) => ari.Channel().originate({ endpoint, app, timeout: 20 }),
  create: () => ari.Bridge().create({ type: 'mixing' }),
  add: ({ bridge, channel }) => ari.Bridge(bridge).addChannel({ channel }),
  remove: ({ bridge, channel }) => ari.Bridge(bridge).removeChannel({ channel }),
  destroy: ({ bridge }) => ari.Bridge(bridge).destroy(),
  play: ({ bridge, media }) => ari.Bridge(bridge).play({ media }, ari.Playback()),
  stop: ({ playback }) => ari.Playback(playback).stop(),
  snoop: ({ id, spy, whisper, app }) => ari.Channel(id).snoopChannelWithId({ snoopId: ari.Channel().id, spy, whisper, app }),
  hangup: ({ id }) => ari.Channel(id).hangup(),
};

// The library throws where nobody can catch it when the description is refused.
const thrown = (why) => say({ say: 'refused', why: String(why) });
process.once('uncaughtException', thrown);

obey({
  connect({ url, user, secret, app }) {
    client.connect(url, user, secret)
      .then((connected) => {
        ari = connected;
        ari.on('*', (fields) => say({ say: 'event', fields }));
        ari.on('WebSocketReconnecting', () => say({ say: 'out' }));
        return ari.start(app, true);
      })
      .then(() => {
        process.off('uncaughtException', thrown);
        say({ say: 'in' });
      }, thrown);
  },
  do({ id, what, given }) {
    operations[what](given).then(
      (answer) => say(Array.isArray(answer) ? { say: 'answer', id, ok: true, rows: answer.map(plain) } : { say: 'answer', id, ok: true, fields: plain(answer) }),
      (error) => say({ say: 'answer', id, ok: false, why: error.message }),
    );
  },
  // What somebody else has written with the library.
  run({ id, code }) {
    const written = Object.getPrototypeOf(async () => {}).constructor('require', code);
    written(require).then(() => say({ say: 'answer', id, ok: true }), (error) => say({ say: 'answer', id, ok: false, why: String(error) }));
  },
  leave() {
    ari.stop();
    say({ say: 'left', why: '' });
  },
});
