import { IngotError } from '../errors.ts';
import type { ImageRun } from './image-plan.ts';

/**
 * Quotes a text for `ENV` and `LABEL`: nothing in it ends the quotes, names a variable or begins a line of its own. Line
 * breaks become spaces.
 * @throws IngotError `usage` for other control characters.
 * @example
 * quoted('a "$HOME"'); // '"a \\"\\$HOME\\""'
 */
export function quoted(text: string): string {
  const line = text.replace(/\s*[\r\n]+\s*/g, ' ');
  if (hasControlCharacter(line)) throw unfit('a text holds control characters', text);
  return `"${line.replace(/[\\"$]/g, '\\$&')}"`;
}

/** The form of commands that no shell reads: a JSON list. Source: Dockerfile reference, "exec form". */
export function execForm(words: readonly string[]): string {
  return `[${words.map((word) => JSON.stringify(word)).join(', ')}]`;
}

const IMAGE = /^[A-Za-z0-9][A-Za-z0-9._:/-]*(?:@sha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128}))?$/;

/**
 * Checks what `FROM` names.
 * @throws IngotError `usage` for what is no image of a registry.
 */
export function checkImage(name: string): string {
  if (IMAGE.test(name) && !/^(?:oci|docker-archive|rootfs|dir):/.test(name)) return name;
  throw new IngotError(
    'usage',
    `a Dockerfile cannot start from "${name.slice(0, 120)}": it is no image of a registry`,
    {
      operation: 'bake',
      hint: '--base python:3.11-slim   or another image by its name in a registry',
    },
  );
}

/** The lines that say how a container starts, in the order that Dockerfiles usually have. */
export function runLines(run: ImageRun): readonly string[] {
  const env = Object.entries(run.env ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    ...(env.length === 0 ? [] : [`ENV ${env.map(([name, text]) => `${name}=${quoted(text)}`).join(' \\\n    ')}`]),
    ...(run.workingDir === undefined ? [] : [`WORKDIR ${quoted(run.workingDir)}`]),
    ...(run.exposedPorts ?? []).map((port) => `EXPOSE ${port}`),
    ...(run.stopSignal === undefined ? [] : [`STOPSIGNAL ${run.stopSignal}`]),
    ...(run.healthcheck === undefined ? [] : [healthcheckLine(run.healthcheck)]),
    ...(run.user === undefined ? [] : [`USER ${run.user}`]),
    ...(run.entrypoint === undefined ? [] : [`ENTRYPOINT ${execForm(run.entrypoint)}`]),
    ...(run.cmd === undefined ? [] : [`CMD ${execForm(run.cmd)}`]),
  ];
}

function healthcheckLine(check: NonNullable<ImageRun['healthcheck']>): string {
  const [kind, ...words] = check.test;
  if (kind !== 'CMD') throw unfit('a health check is no program', check.test.join(' '));
  const times = [
    `--interval=${check.intervalMs / 1000}s`,
    `--timeout=${check.timeoutMs / 1000}s`,
    `--start-period=${check.startPeriodMs / 1000}s`,
    `--retries=${check.retries}`,
  ];
  return `HEALTHCHECK ${times.join(' ')} \\\n    CMD ${execForm(words)}`;
}

/** `LABEL` with all labels, one a line. */
export function labelLines(labels: Readonly<Record<string, string>>): readonly string[] {
  const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  const all = sorted.map(([name, text]) => `${quoted(name)}=${quoted(text)}`);
  return all.length === 0 ? [] : [`LABEL ${all.join(' \\\n      ')}`];
}

function hasControlCharacter(text: string): boolean {
  for (const letter of text) {
    const code = letter.codePointAt(0) ?? 0;
    if (code < 0x20 || code === 0x7f || code === 0x2028 || code === 0x2029) return true;
  }
  return false;
}

function unfit(why: string, text: string): IngotError {
  return new IngotError('usage', `the Dockerfile cannot be written: ${why}: ${JSON.stringify(text.slice(0, 80))}`, {
    operation: 'bake',
  });
}
