// A server of uWebSockets, with node and @trufflesuite/uws-js-unofficial, or with Bun: uws_server.js [PORT [fan-out]].
// It prints its port. It returns each message to its sender, or with fan-out sends it to all other clients.
const [port = 0, fanOut] = process.argv.slice(2);

function open(ws) {
	ws.subscribe('all');
}

if (globalThis.Bun) {
	const message = (ws, data) => fanOut ? ws.publish('all', data, true) : ws.send(data, true);
	const websocket = {open, message, maxPayloadLength: 1 << 25, perMessageDeflate: true};
	const fetch = (request, server) => { server.upgrade(request); };
	console.log('Bound to ' + Bun.serve({hostname: '127.0.0.1', port, fetch, websocket}).port);
} else {
	const uws = require('@trufflesuite/uws-js-unofficial');
	if (!uws.SHARED_COMPRESSOR)
		throw new Error('uWebSockets is not built for this node: its replacement in JavaScript is no peer');
	const message = (ws, data, binary) => fanOut ? ws.publish('all', data, binary, true) : ws.send(data, binary, true);
	uws.App().ws('/*', {open, message, maxPayloadLength: 1 << 25, maxBackpressure: 1 << 26, compression: uws.SHARED_COMPRESSOR})
		.listen('127.0.0.1', +port, (socket) => console.log('Bound to ' + uws.us_socket_local_port(socket)));
}
