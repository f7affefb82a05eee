/**
 * The load generator, in a process of its own: reads `{url, connections, seconds, body, contentType}` from stdin and
 * writes requests a second and percentiles of the time to answer, in milliseconds.
 */
import autocannon from 'autocannon';

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const { url, connections, seconds, body, contentType } = JSON.parse(Buffer.concat(chunks).toString());

const times = [];
let others = 0;
const load = autocannon({ url, connections, duration: seconds, method: 'POST', headers: { 'content-type': contentType }, body, timeout: 60 });
load.on('response', (_client, status, _bytes, milliseconds) => {
  if (status === 200) times.push(milliseconds);
  else others += 1;
});
const result = await load;
times.sort((a, b) => a - b);
const at = (share) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? null;
console.log(JSON.stringify({ perSecond: times.length / result.duration, p50: at(0.5), p99: at(0.99), errors: others + result.errors }));
