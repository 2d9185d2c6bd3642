// An echo server of node's ws on a free port, which it prints.
const {WebSocketServer} = require('ws');
const server = new WebSocketServer({host: '127.0.0.1', port: 0, maxPayload: 1 << 25, perMessageDeflate: {threshold: 0}},
	() => console.log('Bound to ' + server.address().port));

server.on('connection', (ws) => {
	ws.on('error', () => {});
	ws.on('message', (data, isBinary) => ws.send(data, {binary: isBinary}));
});
