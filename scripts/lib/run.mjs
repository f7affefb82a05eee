/** Running other programs from the scripts. */
import { spawn } from 'node:child_process';
import { ROOT } from './paths.mjs';

/**
 * Runs a program to its end and gives what it printed. Rejects with the last lines it printed when it fails, unless
 * `check` is false. `inherit` lets it write to the terminal instead.
 */
export function run(command, args, { cwd = ROOT, env = process.env, label = command, inherit = false, check = true, input } = {}) {
  return new Promise((resolve, reject) => {
    const stdio = inherit ? ['ignore', 'inherit', 'inherit'] : [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'];
    const child = spawn(command, args, { cwd, env, stdio });
    const out = [];
    const all = [];
    child.stdout?.on('data', (data) => {
      out.push(data);
      all.push(data);
    });
    child.stderr?.on('data', (data) => all.push(data));
    if (input !== undefined) child.stdin.end(input);
    child.on('error', (error) => reject(new Error(`${label} could not start: ${error.message}`, { cause: error })));
    child.on('close', (code, signal) => {
      const stdout = Buffer.concat(out).toString();
      const output = Buffer.concat(all).toString();
      if (code === 0 || !check) resolve({ code: code ?? 1, signal, stdout, output });
      else reject(Object.assign(new Error(`${label} failed (${signal ?? `exit ${code}`})${tail(output)}`), { code, output }));
    });
  });
}

/** The last lines of an output, indented, for an error message. */
export function tail(output, lines = 20) {
  const text = output.trimEnd();
  return text === '' ? '' : `\n${text.split('\n').slice(-lines).map((line) => `    ${line}`).join('\n')}`;
}
