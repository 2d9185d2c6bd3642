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
	async large() {
		const ws = await open();
		for (const m of ['\u20ac'.repeat(1 << 20), Buffer.alloc(1 << 24, 254)]) {
			ws.send(m);
			const got = await ws.next();
			assert(m.length === got.length && (Buffer.isBuffer(m) ? m.equals(got) : m === got));
		}
		ws.close();
		await ws.next();
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
	async pings() {
		const ws = await open();
		for (const m of ['', 'hello', 'p'.repeat(125)]) {
			ws.ping(m);
			assert.deepStrictEqual(await ws.next(), {pong: m});
		}
		ws.close();
		await ws.next();
	},
	async closing() {
		for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999]) {
			const ws = await open();
			ws.close(code, 'bye');
			assert.strictEqual((await ws.next()).code, code);
		}
		const ws = await open();
		ws.close();
		assert.strictEqual((await ws.next()).code, 1005);
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
	async foreign() {
		await assert.rejects(open({origin: 'http://evil.example'}), /403/);
	},
	async version() {
		await assert.rejects(open({protocolVersion: 8}), /426/);
	},
};

cases[name]().then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
setTimeout(() => { console.error('nothing comes'); process.exit(1); }, 60000);
