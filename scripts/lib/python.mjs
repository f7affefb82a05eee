/** Finds a Python and makes the clone's environment from it, on machines that differ. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fingerprintOfBytes, readOr } from './files.mjs';
import { inRoot, pythonOf, VENV } from './paths.mjs';
import { run } from './run.mjs';

const OLDEST_MINOR = 10;
const NAMES = ['python3.14', 'python3.13', 'python3.12', 'python3.11', 'python3.10', 'python3'];
const REQUIREMENTS = inRoot('python/requirements-dev.txt');
const STAMP = '.ingot-setup.json';

/** What the demo needs of `requirements-dev.txt`; tests need all of it. */
const DEMO_PACKAGES = new Set(['cloudpickle', 'numpy', 'onnx', 'pandas', 'scipy', 'scikit-learn', 'skl2onnx', 'uv']);

const PROBE = `import json, sys, importlib.util as u
print(json.dumps({"version": list(sys.version_info[:3]), "executable": sys.executable, "ensurepip": u.find_spec("ensurepip") is not None, "venv": u.find_spec("venv") is not None, "pip": u.find_spec("pip") is not None}))`;

/** What an interpreter can do, or undefined when `command` does not start. */
export async function probe(command) {
  try {
    const { code, stdout } = await run(command, ['-c', PROBE], { check: false });
    return code === 0 ? { command, ...JSON.parse(stdout) } : undefined;
  } catch {
    return undefined; // Not on PATH: the next name is tried.
  }
}

/** `$PYTHON`, else the newest of python3.14 to python3.10, else python3 if it is new enough; else why there is none. */
export async function findPython(env = process.env) {
  if (env.PYTHON) {
    const found = await probe(env.PYTHON);
    if (found === undefined) return { reason: `PYTHON=${env.PYTHON} does not start` };
    return isNewEnough(found) ? { python: found } : { reason: `PYTHON=${env.PYTHON} is ${found.version.join('.')}; 3.${OLDEST_MINOR} or newer is needed` };
  }
  const tooOld = [];
  for (const name of NAMES) {
    const found = await probe(name);
    if (found && isNewEnough(found)) return { python: found };
    if (found) tooOld.push(`${name} is ${found.version.join('.')}`);
  }
  const why = tooOld.length > 0 ? tooOld.join(', ') : 'there is no python3 on PATH';
  return { reason: `${why}; 3.${OLDEST_MINOR} or newer is needed (PYTHON=/path/to/python3 names one)` };
}

const isNewEnough = ({ version: [major, minor] }) => major === 3 && minor >= OLDEST_MINOR;

/** The lines of `requirements-dev.txt` that `tier` (`demo` or `all`) needs. */
export const requirementsOf = (tier) => (tier === 'all' ? pins() : pinsOf(DEMO_PACKAGES));

/** The lines of `requirements-dev.txt` that pin these packages. */
export const pinsOf = (packages) => pins().filter((line) => packages.has(/^[\w.-]+/.exec(line)?.[0].toLowerCase() ?? ''));

const pins = () => readOr(REQUIREMENTS, '').split('\n').map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));

/** Whether `.venv` holds what `tier` needs; reads two files and asks nobody. */
export function isEnvironmentReady(tier) {
  if (!existsSync(pythonOf(VENV))) return false;
  const stamp = readStamp();
  return stamp.all === wantedFingerprint('all') || (tier === 'demo' && stamp.demo === wantedFingerprint('demo'));
}

const readStamp = () => JSON.parse(readOr(join(VENV, STAMP), '{}'));
const wantedFingerprint = (tier) => fingerprintOfBytes([inRoot('python/pyproject.toml')], [VENV, ...requirementsOf(tier)]);

/** Makes `.venv`, or brings it up to date; one that was made for the tests stays one. */
export async function makeEnvironment(python, wanted) {
  const tier = readStamp().all === undefined ? wanted : 'all';
  await makeVenv(python, VENV, [...requirementsOf(tier), `-e ${inRoot('python')}`]);
  const stamp = tier === 'all' ? { all: wantedFingerprint('all') } : { demo: wantedFingerprint('demo') };
  writeFileSync(join(VENV, STAMP), JSON.stringify(stamp));
}

/** Makes a virtual environment at `venv` unless one works there, and installs these lines of requirements into it. */
export async function makeVenv(python, venv, requirements) {
  const interpreter = pythonOf(venv);
  if (!existsSync(interpreter) || (await probe(interpreter)) === undefined) await createEmpty(python, venv);
  const installer = await installerFor(python, venv);
  const list = join(venv, 'requirements.txt');
  writeFileSync(list, `${requirements.join('\n')}\n`);
  await installer(['-r', list]);
}

async function createEmpty(python, venv) {
  rmSync(venv, { recursive: true, force: true });
  mkdirSync(venv, { recursive: true });
  if (!python.venv) throw new Error(missingVenv(python));
  const pip = python.ensurepip ? [] : ['--without-pip'];
  await run(python.command, ['-m', 'venv', ...pip, venv], { label: `${python.command} -m venv` });
}

/** A function that installs into `venv`: by uv where it can be had, else by pip. */
async function installerFor(python, venv) {
  const interpreter = pythonOf(venv);
  const pip = await pipFor(python, interpreter);
  const uv = await uvFor(pip, venv);
  const byPip = pip && ((args) => run(pip[0], [...pip.slice(1), 'install', '--disable-pip-version-check', ...args], { label: 'pip install' }));
  if (uv === undefined) {
    if (byPip) return byPip;
    throw new Error(missingVenv(python));
  }
  return async (args) => {
    try {
      // The machine's own trust store, as pip has it: a company's proxy is in there and not in uv's.
      const env = { UV_SYSTEM_CERTS: 'true', UV_NATIVE_TLS: 'true', ...process.env };
      await run(uv, ['pip', 'install', '--python', interpreter, ...args], { env, label: 'uv pip install' });
    } catch (error) {
      // uv does not read pip's configuration (a company's index, a proxy's certificate): where pip is there, it tries too.
      if (!byPip) throw error;
      await byPip(args);
    }
  };
}

/** The command that is pip for an environment: its own, or another interpreter's told to work on it. */
async function pipFor(python, interpreter) {
  if ((await probe(interpreter))?.pip) return [interpreter, '-m', 'pip'];
  for (const pip of [[python.command, '-m', 'pip'], ['pip3'], ['pip']]) {
    const command = [...pip, '--python', interpreter];
    if (await starts(command[0], [...command.slice(1), '--version'])) return command;
  }
  return undefined;
}

/** The clone's own uv, the one on PATH, or one that pip puts into `venv`. */
async function uvFor(pip, venv) {
  if (existsSync(uvIn(VENV))) return uvIn(VENV);
  if (await starts('uv', ['--version'])) return 'uv';
  if (pip === undefined) return undefined;
  const pin = requirementsOf('demo').find((line) => line.startsWith('uv=')) ?? 'uv';
  const { code } = await run(pip[0], [...pip.slice(1), 'install', '--disable-pip-version-check', pin], { check: false });
  return code === 0 && existsSync(uvIn(venv)) ? uvIn(venv) : undefined;
}

const uvIn = (venv) => (process.platform === 'win32' ? join(venv, 'Scripts/uv.exe') : join(venv, 'bin/uv'));

async function starts(command, args) {
  try {
    return (await run(command, args, { check: false })).code === 0;
  } catch {
    return false; // Not on PATH.
  }
}

function missingVenv(python) {
  const name = `python${python.version.slice(0, 2).join('.')}-venv`;
  return `${python.command} cannot make virtual environments and neither uv nor pip is there: install ${name} (Debian, Ubuntu: sudo apt install ${name}) or uv`;
}
