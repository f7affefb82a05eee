import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import type { Check } from './check.ts';
import { failed, ok, warning } from './check.ts';

const MINIMUM_NODE = [20, 11] as const;
const TIMEOUT_MS = 10_000;

/** Runs a program and gives the first line it says, or undefined when it is missing or fails. */
export function firstLine(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<string | undefined> {
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

/** Checks that the interpreter is there and new enough. */
export async function checkPython(program: string, env: Readonly<Record<string, string | undefined>>): Promise<Check> {
  const said = await firstLine(program, ['-c', 'import sys; print(sys.version.split()[0], sys.executable)'], env);
  if (said === undefined)
    return warning(
      'python',
      `${program} was not found; ONNX models work without it`,
      'install Python 3.10 or newer, or set INGOT_PYTHON',
    );
  const [major = 0, minor = 0] = (said.split(' ')[0] ?? '').split('.').map(Number);
  if (major < 3 || (major === 3 && minor < 10))
    return warning('python', `${said} is too old`, 'install Python 3.10 or newer, or set INGOT_PYTHON');
  return ok('python', said);
}

/** Checks for uv, which builds environments fast. */
export async function checkUv(env: Readonly<Record<string, string | undefined>>): Promise<Check> {
  const said = await firstLine('uv', ['--version'], env);
  return said === undefined
    ? warning('uv', 'not found; pip builds environments instead, more slowly', 'install uv: https://docs.astral.sh/uv')
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
      'onnxruntime-node was not found; ONNX models cannot be served',
      'npm install onnxruntime-node',
    );
  }
}
