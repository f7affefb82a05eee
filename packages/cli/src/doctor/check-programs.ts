import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { findInterpreter } from '@ingot/serve/environment/interpreter';
import { startedFrom } from '../package-environment.ts';
import { toIngotError } from '../output/format-error.ts';
import type { Check } from './check.ts';
import { failed, ok, warning } from './check.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const MINIMUM_NODE = [20, 11] as const;
const TIMEOUT_MS = 10_000;

/** Runs a program and gives the first line it says, or undefined when it is missing or fails. */
export function firstLine(program: string, args: readonly string[], env: Environment): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(program, [...args], { timeout: TIMEOUT_MS, env: { ...env } }, (error, stdout, stderr) => {
      const line = `${stdout}\n${stderr}`.split('\n').find((candidate) => candidate.trim() !== '');
      resolve(error === null ? (line?.trim() ?? '') : undefined);
    });
  });
}

/** Checks the version of Node. */
export function checkNode(version: string): Check {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  const enough = major > MINIMUM_NODE[0] || (major === MINIMUM_NODE[0] && minor >= MINIMUM_NODE[1]);
  return enough
    ? ok('node', version)
    : failed('node', `${version} is too old`, `install Node ${MINIMUM_NODE.join('.')} or newer`);
}

/** Checks which interpreter packages would run with. */
export async function checkPython(python: string | undefined, env: Environment): Promise<Check> {
  try {
    const { version, path } = await findInterpreter({
      python,
      startedFrom: startedFrom(env),
      environment: env,
      preferActive: true,
    });
    return ok('python', `${version} ${path}`);
  } catch (thrown) {
    const error = toIngotError(thrown);
    return warning('python', `${error.message}; ONNX models work without it`, error.hint);
  }
}

/** Checks for uv, which builds environments fast. */
export async function checkUv(env: Environment): Promise<Check> {
  const said = await firstLine('uv', ['--version'], env);
  return said === undefined
    ? warning('uv', 'not on PATH; environments are built with one that pip fetches, or with pip')
    : ok('uv', said);
}

/** Checks that the ONNX runtime can be found; it is loaded only by `serve` and `predict`. */
export function checkOnnx(from: string): Check {
  try {
    const version: unknown = createRequire(from)('onnxruntime-node/package.json').version;
    return ok('onnxruntime', String(version));
  } catch {
    return warning(
      'onnxruntime',
      "onnxruntime-node was not found; ONNX models are run with Python's onnxruntime",
      'npm install onnxruntime-node, to run them without Python',
    );
  }
}
