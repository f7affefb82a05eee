/**
 * A *contest* puts contenders through the same steps, round after round, each in turn, so that whatever else the machine
 * does meets all of them. A *contender* says with which commands it pushes and pulls; a step may take several. It may say
 * - `before(step, folder)`: what must be done before a step and is not measured
 * - `rounds`: how many it plays at most, when it takes long
 * - `again: false`: it does not know what it pushed already; `scattered: false`: it stores whole files, so that scattered changes tell nothing new
 * - `servers`: process ids whose processor time counts, too; `via(command)`: where its commands run; `traffic()`: what went over the line so far
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../scripts/lib/run.mjs';
import { usageOf } from './processes.mjs';
import { assertSame, fresh, STORAGE_HOME, warm } from './folders.mjs';
import { measure, median } from './measure.mjs';

/** Runs commands one after another and gives what they cost together; of `servers` (process ids) the processor time they took meanwhile; of the line what went over it; and what `numbersOf` finds in what the last one printed. */
export async function measureStep(commands, { servers = [], via = (command) => command, traffic, numbersOf = () => ({}) } = {}) {
  await run('sync', []); // What earlier steps left to be written is not this one's to wait for.
  const before = servers.map((pid) => usageOf(pid)?.cpu ?? 0);
  const trafficBefore = traffic?.();
  const total = { wall: 0, cpu: 0, peakBytes: 0 };
  let printed = '';
  for (const { command, args, env, cwd } of commands.map(via)) {
    const usage = await measure(command, args, { env, cwd });
    total.wall += usage.wall;
    total.cpu += usage.cpu;
    total.peakBytes = Math.max(total.peakBytes, usage.peakBytes);
    printed = usage.stdout;
  }
  const serverCpu = servers.reduce((sum, pid, index) => sum + (usageOf(pid)?.cpu ?? 0) - before[index], 0);
  return { ...total, serverCpu, ...difference(trafficBefore, traffic?.()), ...numbersOf(printed) };
}

const difference = (before, after) => Object.fromEntries(Object.keys(before ?? {}).map((field) => [field, after[field] - before[field]]));

/**
 * One round of a contender: v1 pushed, pushed again untouched, v2 pushed, both pulled (v2 with v1 on disk) and compared.
 * Gives the cost of each step, and how many bytes were stored after each push. Nothing of it stays.
 */
export async function playRound(contender, folders) {
  const steps = {};
  const stored = {};
  const step = async (name, commands, folder) => {
    await contender.before?.(name, folder);
    steps[name] = await measureStep(commands, contender);
  };
  try {
    await contender.prepare();
    await step('push v1', contender.push('v1', folders.v1), folders.v1);
    stored.v1 = await contender.storedBytes();
    if (contender.again !== false) await step('push again', contender.push('v1', folders.v1), folders.v1);
    const beforeV2 = await contender.storedBytes();
    await step('push v2', contender.push('v2', folders.v2), folders.v2);
    stored.v2 = (await contender.storedBytes()) - beforeV2;
    const pulled = fresh('pulled', contender.key);
    for (const variant of ['v1', 'v2']) {
      const target = join(pulled, variant);
      await step(`pull ${variant}`, contender.pull(variant, target));
      assertSame(folders[variant], contender.pulledFolder?.(target) ?? target);
    }
    return { steps, stored };
  } finally {
    await leave(contender);
  }
}

/** How many bytes a contender stores for a version with scattered changes, v1 being there. */
async function storedForScattered(contender, folders) {
  try {
    await contender.prepare();
    await measureStep(contender.push('v1', folders.v1), contender);
    const before = await contender.storedBytes();
    await measureStep(contender.push('v2-scattered', folders['v2-scattered']), contender);
    return (await contender.storedBytes()) - before;
  } finally {
    await leave(contender);
  }
}

async function leave(contender) {
  await contender.end?.();
  for (const place of ['stores', 'caches', 'pulled']) {
    rmSync(join(STORAGE_HOME, place, contender.key), { recursive: true, force: true });
  }
}

/** Plays rounds, all contenders in each. One that fails is out, with its reason; its other rounds count. Gives medians. */
export async function playContest(contenders, folders, { rounds, scattered = true }) {
  warm(folders);
  const played = contenders.map((contender) => ({ contender, rows: [] }));
  const failed = [];
  const attempt = async (entry, what, action) => {
    if (entry.isOut) return;
    console.error(`- ${what}: ${entry.contender.name}`);
    try {
      await action(entry);
    } catch (error) {
      console.error(error.message);
      failed.push(`${entry.contender.name}, ${what}: ${firstLines(error.message)}`);
      entry.isOut = true;
    }
  };
  for (let round = 1; round <= rounds; round++) {
    for (const entry of played.filter(({ contender }) => round <= (contender.rounds ?? rounds))) {
      await attempt(entry, `round ${round} of ${rounds}`, async ({ contender, rows }) => rows.push(await playRound(contender, folders)));
    }
  }
  const results = {};
  for (const entry of played.filter(({ rows }) => rows.length > 0)) {
    const { contender, rows } = entry;
    const { key, name, isFlushed } = contender;
    const result = { name, isFlushed, rounds: rows.length, ...medians(rows) };
    results[key] = result;
    if (!scattered || contender.scattered === false) continue;
    await attempt(entry, 'scattered changes', async () => {
      result.stored['v2-scattered'] = await storedForScattered(contender, folders);
    });
  }
  return { results, failed };
}

const firstLines = (text) => text.split('\n').slice(0, 8).map((line) => line.trim()).join(' ').slice(0, 500);

/** Puts entrants together from `{key, isSlow, make}`: those of `only`; slow ones with `peers`. One that cannot be had is named with its reason. */
export async function enter(entrants, given, { peers = false, only } = {}) {
  const contenders = [];
  const skipped = [];
  const slow = [];
  for (const { key, isSlow, make } of entrants) {
    if (only !== undefined && !only.includes(key)) continue;
    if (isSlow && !peers && only === undefined) {
      slow.push(key);
      continue;
    }
    try {
      contenders.push(await make(given));
    } catch (error) {
      skipped.push(`${key} cannot be had here: ${firstLines(error.message)}`);
    }
  }
  if (slow.length > 0) skipped.push(`${slow.join(', ')}: add --peers`);
  return { contenders, skipped };
}

function medians(rows) {
  const names = Object.keys(rows[0].steps);
  const steps = names.map((name) => [name, mediansOf(rows.map(({ steps }) => steps[name]))]);
  return { steps: Object.fromEntries(steps), stored: mediansOf(rows.map(({ stored }) => stored)) };
}

const mediansOf = (rows) => Object.fromEntries(Object.keys(rows[0]).map((field) => [field, median(rows.map((row) => row[field]))]));
