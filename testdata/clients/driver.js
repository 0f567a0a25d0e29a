// What the drivers of the libraries for Node.js share. A driver obeys orders, a JSON object a line on its standard input (connect, send, leave),
// and says as lines of JSON what its library hands to its caller. What the library itself prints is passed over by who reads.
'use strict';

const readline = require('readline');

exports.say = (said) => process.stdout.write(JSON.stringify(said) + '\n');

exports.obey = (orders) => readline.createInterface({ input: process.stdin })
  .on('line', (line) => {
    const order = JSON.parse(line);
    orders[order.do](order);
  })
  .on('close', () => process.exit(0));
