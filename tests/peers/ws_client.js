// What node's ws sees of our server: ws_client.js URL CASE; exits 0 where all is well.
const assert = require('assert');
const WebSocket = require('ws');
const [url, name] = process.argv.slice(2);
const snowman = 'snow \u2603 and \u{1f600}';

function open(options) {
	const ws = new WebSocket(url, Object.assign({maxPayload: 1 << 25}, options));
	const waiting = [], come = [];
	const hand = (x) => waiting.length ? waiting.shift()(x) : come.push(x);
	ws.on('message', (data, isBinary) => hand(isBinary ? data : data.toString()));
	ws.on('pong', (data) => hand({pong: data.toString()}));
	ws.on('close', (code, reason) => hand({code, reason: reason.toString()}));
	ws.next = () => new Promise((yes) => come.length ? yes(come.shift()) : waiting.push(yes));
	return new Promise((yes, no) => { ws.on('open', () => yes(ws)); ws.on('error', no); });
}

const cases = {
	async echo() {
		const ws = await open();
		for (const m of ['', 'x', snowman, 'a\nb\r\n\0c', 'y'.repeat(126), 'y'.repeat(65536),
			Buffer.alloc(0), Buffer.from([0, 255, 10]), Buffer.alloc(300000, 254)]) {
			ws.send(m);
			assert.deepStrictEqual(await ws.next(), m);
		}
		ws.close(1000);
		assert.deepStrictEqual(await ws.next(), {code: 1000, reason: ''});
	},
	async fragments() {
		const ws = await open();
		for (let i = 0; i < 5000; i++) {
			ws.send(String(i % 10), {fin: false});
			if (i % 1000 === 500)
				ws.ping(String(i));
		}
		ws.send('.', {fin: true});
		for (let i = 500; i < 5000; i += 1000)
			assert.deepStrictEqual(await ws.next(), {pong: String(i)});
		assert.strictEqual(await ws.next(), '0123456789'.repeat(500) + '.');
		ws.close();
		await ws.next();
	},
	async both() {
		// 16 MiB of messages on their way in both directions at once.
		const ws = await open();
		for (let i = 0; i < 256; i++)
			ws.send(Buffer.alloc(65536, i));
		for (let i = 0; i < 256; i++)
			assert(Buffer.alloc(65536, i).equals(await ws.next()));
		ws.close();
		await ws.next();
	},
	async version() {
		await assert.rejects(open({protocolVersion: 8}), /426/);
	},
};

cases[name]().then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
setTimeout(() => { console.error('nothing comes'); process.exit(1); }, 60000);
