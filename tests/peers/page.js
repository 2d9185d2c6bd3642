#!/usr/bin/env node
/*
 * page.js: loads a page in headless Chromium and evaluates expressions in it.
 *
 *     page.js URL [EXPRESSION...]
 *
 * Each expression's value (awaited) is printed as one line of JSON. In them,
 * until(f) waits until f() is true and gives its value, at most 40 s. Speaks the
 * DevTools protocol over pipes, so that it needs nothing but node and chromium.
 * Exit 1 on failure.
 */
"use strict";
const { spawn } = require("child_process");
const fs = require("fs");
const os = require("os");
const path = require("path");

const [url, ...expressions] = process.argv.slice(2);
const home = fs.mkdtempSync(path.join(os.tmpdir(), "page."));
const browser = spawn(process.env.CHROMIUM || "chromium", [
	"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
	"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", `--user-data-dir=${home}`,
	"--remote-debugging-pipe",
], { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });

/* Its helpers may still write for a moment: a failed removal is not an error. */
function leave(status) {
	browser.on("exit", () => {
		try {
			fs.rmSync(home, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
		} catch (e) {
			console.error(`page.js: ${e.message}`);
		}
		process.exit(status);
	});
	call("Browser.close", {}).catch(() => {});
	setTimeout(() => browser.kill("SIGKILL"), 2000);
}

function fail(what) {
	console.error(`page.js: ${what}`);
	leave(1);
}

const waiting = new Map(), listeners = new Map();
let last = 0, unread = "";

/* Messages are JSON with a NUL behind each. */
browser.stdio[4].on("data", data => {
	const parts = (unread + data).split("\0");
	unread = parts.pop();
	for (const part of parts) {
		const message = JSON.parse(part);
		if (message.id !== undefined) {
			const { resolve, reject } = waiting.get(message.id);
			waiting.delete(message.id);
			if (message.error)
				reject(new Error(message.error.message));
			else
				resolve(message.result);
		} else if (listeners.has(message.method)) {
			listeners.get(message.method)(message.params);
		}
	}
});
browser.on("error", e => fail(e.message));
setTimeout(() => fail("took longer than 120 s"), 120000).unref();

function call(method, params, sessionId) {
	const id = ++last;
	browser.stdio[3].write(JSON.stringify({ id, method, params, sessionId }) + "\0");
	return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
}

const until = `globalThis.until = async f => {
	for (let end = Date.now() + 40000; ; await new Promise(r => setTimeout(r, 20))) {
		const value = f();
		if (value) return value;
		if (Date.now() > end) throw new Error("never: " + f);
	}
};`;

async function main() {
	const { targetId } = await call("Target.createTarget", { url: "about:blank" });
	const { sessionId } = await call("Target.attachToTarget", { targetId, flatten: true });
	const page = (method, params) => call(method, params, sessionId);
	const loaded = new Promise(resolve => listeners.set("Page.loadEventFired", resolve));

	await page("Page.enable", {});
	await page("Emulation.setDeviceMetricsOverride", { width: 1000, height: 700, deviceScaleFactor: 1, mobile: false });
	await page("Page.addScriptToEvaluateOnNewDocument", { source: until });
	const { errorText } = await page("Page.navigate", { url });
	if (errorText)
		throw new Error(`${url}: ${errorText}`);
	await loaded;
	for (const expression of expressions) {
		const { result, exceptionDetails } = await page("Runtime.evaluate",
			{ expression, awaitPromise: true, returnByValue: true });
		if (exceptionDetails)
			throw new Error(exceptionDetails.exception?.description || exceptionDetails.text);
		console.log(JSON.stringify(result.value));
	}
}
main().then(() => leave(0), e => fail(e.message));
