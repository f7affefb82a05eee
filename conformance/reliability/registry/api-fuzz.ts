/** Requests made up from the OpenAPI document by schemathesis, right ones and wrong ones: no 5xx, and only answers that the document tells of. */

import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { testServer } from '../../../scripts/lib/servers/test-servers.mjs';
import { workDirectory } from '../command.ts';
import type { Outcome, Trial, TrialOptions } from '../trial.ts';
import { RegistryProcess } from './registry-process.ts';

/** What is looked at in each answer. */
const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
  'negative_data_rejection',
];

/** How what breaks the schema may be refused: also because it is so long that nobody reads its head. */
const REFUSALS = `[checks]
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 406, 409, 412, 413, 415, 422, 428, 429, 431]
`;

/** Requests of each operation at most; the phase of edge cases makes some 50 more in the full form. */
const OF_EACH = { full: 170, short: 4 };

/** Some 13,000 requests in the full form, some hundred in the short one. */
export const apiFuzz: Trial = {
  name: 'api-fuzz',
  byHand: true,
  about: 'requests that schemathesis makes up from the OpenAPI document: no 5xx, no answer that it does not tell of',
  async run({ full, seed }: TrialOptions): Promise<Outcome> {
    let home: string;
    try {
      home = await testServer('schemathesis');
    } catch (error) {
      if (process.env.CI === 'true') throw error;
      return { figures: {}, failures: [], skipped: [String(error).split('\n')[0] ?? ''] };
    }
    using directory = workDirectory();
    await using server = await RegistryProcess.start({ cwd: directory.path });
    writeFileSync(join(directory.path, 'schemathesis.toml'), REFUSALS);
    const words = [
      ...['run', `${server.url}/api/v1/openapi.json`, '--exclude-path', '/api/v1/events', '--no-color'],
      ...['--checks', CHECKS.join(','), '--phases', full ? 'coverage,fuzzing' : 'fuzzing', '--seed', String(seed)],
      ...['-n', String(full ? OF_EACH.full : OF_EACH.short), '--workers', '2', '--request-timeout', '30'],
      ...['--suppress-health-check', 'all', '--continue-on-failure', '--warnings', 'off'],
    ];
    const printed = await printedBy(join(home, 'bin/schemathesis'), words, directory.path);
    return outcomeOf(printed, server.printed);
  },
};

/** Exit status 1 says that something was found: the text does, too. */
function printedBy(command: string, words: readonly string[], cwd: string): Promise<string> {
  return new Promise((resolve) => {
    execFile(command, [...words], { cwd, maxBuffer: 64 * 1024 * 1024 }, (_error, stdout, stderr) =>
      resolve(`${stdout}${stderr}`),
    );
  });
}

function outcomeOf(printed: string, logged: string): Outcome {
  const requests = Number(/(\d+) generated/.exec(printed)?.[1] ?? 0);
  const operations = Number(/Tested: (\d+)/.exec(printed)?.[1] ?? 0);
  const failures = [...printed.matchAll(/^_{3,} (.*?) _{3,}$|^(- ST\d+ .*)$/gm)].map(([line]) => line);
  const found = failures.filter((line) => line.startsWith('- ')).length;
  if (requests === 0) return { figures: {}, failures: [printed.slice(-3000)], skipped: [] };
  return {
    figures: { 'requests made up': requests, operations, 'answers with 5xx, or not as documented': found },
    failures: found === 0 ? failuresLogged(logged) : [...failures, foundIn(printed)],
    skipped: [],
  };
}

/** What the tool says of what it found; before that it says how it failed itself. */
function foundIn(printed: string): string {
  const at = printed.search(/^=+ FAILURES =+$/m);
  return printed.slice(Math.max(0, at), Math.max(0, at) + 30_000);
}

/** What nobody foresaw is in the log of the server. */
function failuresLogged(logged: string): string[] {
  return logged.split('\n').filter((line) => / error .* failed: /.test(line));
}
