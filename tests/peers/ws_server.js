// A server of node's ws on a free port, which it prints. What it does hangs on the path.
const {WebSocketServer} = require('ws');
const server = new WebSocketServer({host: '127.0.0.1', port: 0, maxPayload: 1 << 25, perMessageDeflate: {threshold: 0}},
	() => console.log('Bound to ' + server.address().port));

server.on('connection', (ws, request) => {
	ws.on('error', () => {});
	switch (request.url) {
	case '/echo':
		ws.on('message', (data, isBinary) => ws.send(data, {binary: isBinary}));
		break;
	case '/pong':
		ws.on('pong', (data) => ws.send('pong ' + data));
		ws.ping('hello');
		break;
	}
});
