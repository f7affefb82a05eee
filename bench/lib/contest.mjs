/**
 * A *contest* puts contenders through the same steps, round after round, each in turn, so that whatever else the machine
 * does meets all of them. A *contender* says with which commands it pushes and pulls; a step may take several.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../scripts/lib/run.mjs';
import { usageOf } from './processes.mjs';
import { assertSame, fresh, STORAGE_HOME } from './folders.mjs';
import { measure, median } from './measure.mjs';

/** Runs commands one after another and gives what they cost together; of `servers` (process ids) the processor time they took meanwhile; and what `numbersOf` finds in what the last one printed. */
export async function measureStep(commands, { servers = [], numbersOf = () => ({}) } = {}) {
  await run('sync', []); // What earlier steps left to be written is not this one's to wait for.
  const before = servers.map((pid) => usageOf(pid)?.cpu ?? 0);
  const total = { wall: 0, cpu: 0, peakBytes: 0 };
  let printed = '';
  for (const { command, args, env, cwd } of commands) {
    const usage = await measure(command, args, { env, cwd });
    total.wall += usage.wall;
    total.cpu += usage.cpu;
    total.peakBytes = Math.max(total.peakBytes, usage.peakBytes);
    printed = usage.stdout;
  }
  const serverCpu = servers.reduce((sum, pid, index) => sum + (usageOf(pid)?.cpu ?? 0) - before[index], 0);
  return { ...total, serverCpu, ...numbersOf(printed) };
}

/**
 * One round of a contender: v1 pushed, pushed again untouched, v2 pushed, both pulled (v2 with v1 on disk) and compared.
 * Gives the cost of each step, and how many bytes were stored after each push.
 */
export async function playRound(contender, folders) {
  const steps = {};
  const stored = {};
  await contender.prepare();
  const step = async (name, commands) => {
    steps[name] = await measureStep(commands, contender);
  };
  await step('push v1', contender.push('v1', folders.v1));
  stored.v1 = await contender.storedBytes();
  if (contender.again !== false) await step('push again', contender.push('v1', folders.v1));
  const beforeV2 = await contender.storedBytes();
  await step('push v2', contender.push('v2', folders.v2));
  stored.v2 = (await contender.storedBytes()) - beforeV2;
  for (const variant of ['v1', 'v2']) {
    const target = join(fresh('pulled', contender.key), variant === 'v1' ? 'first' : 'second');
    await step(`pull ${variant}`, contender.pull(variant, target));
    assertSame(folders[variant], contender.pulledFolder?.(target, folders[variant]) ?? target);
    if (variant === 'v1') await contender.keep?.(target);
  }
  rmSync(join(STORAGE_HOME, 'pulled', contender.key), { recursive: true, force: true });
  return { steps, stored };
}

/** How many bytes a contender stores for a version with scattered changes, v1 being there. */
export async function storedForScattered(contender, folders) {
  await contender.prepare();
  await measureStep(contender.push('v1', folders.v1));
  const before = await contender.storedBytes();
  await measureStep(contender.push('v2-scattered', folders['v2-scattered']));
  return (await contender.storedBytes()) - before;
}

/** Plays rounds, all contenders in each. One that fails is out, with its reason. Gives medians. */
export async function playContest(contenders, folders, { rounds, scattered = true }) {
  const played = new Map(contenders.map((contender) => [contender, []]));
  const failed = [];
  for (let round = 0; round < rounds; round++) {
    for (const [contender, results] of played) {
      console.error(`- round ${round + 1} of ${rounds}: ${contender.name}`);
      try {
        results.push(await playRound(contender, folders));
      } catch (error) {
        failed.push(`${contender.name}: ${error.message}`);
        played.delete(contender);
      }
    }
  }
  const results = {};
  for (const [contender, rows] of played) {
    results[contender.key] = { name: contender.name, ...medians(rows) };
    if (scattered) results[contender.key].stored['v2-scattered'] = await storedForScattered(contender, folders);
  }
  for (const contender of contenders) await contender.end?.();
  return { results, failed };
}

function medians(rows) {
  const names = Object.keys(rows[0].steps);
  const steps = names.map((name) => [name, mediansOf(rows.map(({ steps }) => steps[name]))]);
  return { steps: Object.fromEntries(steps), stored: mediansOf(rows.map(({ stored }) => stored)) };
}

const mediansOf = (rows) => Object.fromEntries(Object.keys(rows[0]).map((field) => [field, median(rows.map((row) => row[field]))]));
