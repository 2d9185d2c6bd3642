// node's ws as a client of an echo service: ws_client.js URL; exits 0 on success.
const assert = require('assert');
const WebSocket = require('ws');
const sent = ['', 'x', 'snow \u2603 and \u{1f600}', 'a\nb\r\n\0c', 'y'.repeat(126), 'y'.repeat(65536), Buffer.alloc(0), Buffer.from([0, 255, 10])];
const received = [];
const ws = new WebSocket(process.argv[2], {maxPayload: 1 << 25});

// 16 MiB of messages are sent in both directions at the same time.
for (let i = 0; i < 256; i++)
	sent.push(Buffer.alloc(65536, i));
ws.on('open', () => {
	sent.forEach((message) => ws.send(message));
	ws.ping('between');
	ws.send('in ', {fin: false});
	ws.send('fragments', {fin: true});
});
ws.on('pong', (data) => received.push({pong: data.toString()}));
ws.on('message', (data, isBinary) => {
	received.push(isBinary ? data : data.toString());
	if (data.toString() === 'in fragments')
		ws.close(1000);
});
ws.on('close', (code) => {
	const messages = received.filter((one) => !one.pong);
	assert.deepStrictEqual(messages, sent.concat('in fragments'));
	assert(received.some((one) => one.pong === 'between'));
	process.exit(code === 1000 ? 0 : 1);
});
ws.on('error', (error) => { throw error; });
setTimeout(() => { throw new Error('no answer'); }, 60000);
