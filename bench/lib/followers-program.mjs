/**
 * Many model servers' following in one process: for each a client of its own, the resolver and the slots that `ingot serve`
 * has, and a loader that brings the version's files and keeps none. It reads what to do as JSON from its arguments, and
 * writes lines: `{"ready":…}` once all have loaded, `{"looks":…}` each second, `{"swapped":[…]}` once all have another version.
 *
 *     node followers-program.mjs '{"registry":"http://…","token":"…","count":100,"reference":"m@production"}'
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBlobStore } from '@ingot/core/blob/open';
import { openServerBlobStore } from '@ingot/core/blob/server';
import { createBlobContentStore } from '@ingot/core/content/blob-content-store';
import { createServerContentStore } from '@ingot/core/content/server-contents';
import { FormatOnce, openStore } from '@ingot/core/content/store-format';
import { parseReference } from '@ingot/core/ref';
import { FollowingResolver } from '@ingot/core/registry/http/following';
import { createHttpRegistry } from '@ingot/core/registry/http/http-registry';
import { openServerClient } from '@ingot/core/registry/http/server-client';
import { openLogRegistry } from '@ingot/core/registry/open';
import { openRememberedStates } from '@ingot/core/registry/remembered';
import { systemClock } from '@ingot/serve/clock';
import { ModelSlots } from '@ingot/serve/slots/model-slots';

const { registry, token, count, reference, followMs = 500, direct = true, fetches = true } = JSON.parse(process.argv[2]);
const now = () => new Date();
const parsed = parseReference(reference);
const memory = mkdtempSync(join(tmpdir(), 'ingot-followers-'));
let looks = 0;
let isReady = false;
const heard = [];

async function overServer() {
  const authorization = `Bearer ${token}`;
  const client = await openServerClient(registry, { env: process.env, authorization });
  const blobs = await openServerBlobStore(registry, { env: process.env, authorization, direct });
  const inner = createHttpRegistry(client);
  const counted = {
    resolve: (...args) => {
      looks += 1;
      return inner.resolve(...args);
    },
  };
  return { resolver: new FollowingResolver(counted, client), contents: createServerContentStore(blobs, { now, format: new FormatOnce(blobs) }) };
}

async function overStore(index) {
  const blobs = await openBlobStore(registry, { env: process.env });
  const format = new FormatOnce(blobs);
  const log = openLogRegistry({ blobs, actor: 'follower', clock: now, memory: openRememberedStates({ directory: join(memory, String(index)) }), format, hints: true });
  const resolver = {
    resolve: async (asked, options) => {
      looks += 1;
      await openStore(blobs, options);
      return log.resolve(asked, options);
    },
  };
  return { resolver, contents: createBlobContentStore(blobs, { now, format }) };
}

async function follower(index) {
  const { resolver, contents } = await (token === undefined ? overStore(index) : overServer());
  const versions = new Map();
  const source = {
    async resolve(text, options) {
      const { model, modelId, number, manifest, recipe } = await resolver.resolve(parsed, options);
      versions.set(number, recipe);
      return { source: text, model, modelId, number, digest: manifest };
    },
    fetch: async () => {
      throw new Error('the loader fetches');
    },
  };
  const loadVersion = async (resolved, signal) => {
    if (isReady) heard.push(Date.now());
    if (fetches) await fetchAll(contents, versions.get(resolved.number), signal);
    return { model: { directory: '', manifest: resolved.digest, flavor: 'file', requirements: [], environmentVariables: [] }, predictor: PREDICTOR };
  };
  const slots = new ModelSlots({ source, sources: [reference], loadVersion, load: 'start', followIntervalMs: followMs, drainMs: 1000, clock: systemClock, random: Math.random, log: () => {} });
  await slots.start();
  return slots;
}

async function fetchAll(contents, recipe, signal) {
  const opened = await contents.openRecipe(recipe, { signal });
  for (const { role, digest } of opened.contents)
    if (role === 'file') for await (const _ of contents.read(opened, digest, { signal }));
}

const PREDICTOR = {
  signature: undefined,
  platform: 'none',
  predict: async () => ({ outputs: [] }),
  [Symbol.asyncDispose]: async () => {},
};

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const versionOf = (slots) => slots.index().find(({ sources }) => sources.includes(reference))?.version;

const began = performance.now();
const all = [];
// As a rollout starts them: some at a time.
let next = 0;
const worker = async () => {
  while (next < count) all.push(await follower(next++));
};
await Promise.all(Array.from({ length: Math.min(50, count) }, worker));
const first = versionOf(all[0]);
isReady = true;
say({ ready: all.length, seconds: (performance.now() - began) / 1000, version: first });

setInterval(() => {
  say({ looks });
  looks = 0;
}, 1000);

const swapped = [];
const waiting = new Set(all);
const timer = setInterval(() => {
  for (const slots of waiting)
    if (versionOf(slots) !== first) {
      waiting.delete(slots);
      swapped.push(Date.now());
    }
  if (waiting.size > 0) return;
  say({ swapped, heard });
  clearInterval(timer);
}, 10);
