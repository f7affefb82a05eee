import { createHash } from 'node:crypto';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { IngotError } from '@ingot/core/errors';
import { isJsonObject, type JsonValue } from '@ingot/core/json';
import { type CommandPrefix, type Installer, type InstallerOptions, install, onlyFrom, runs } from './installer.ts';
import { minorOf } from './interpreter.ts';
import { runCommand } from './run-command.ts';
import { pythonOf } from './uv.ts';

/** What Python exits with when it brings pip along and is a virtual environment, which refuses `--user`. */
const IN_VENV = 3;
const CAN_HAVE_PIP = `import ensurepip, sys; sys.exit(${IN_VENV} if sys.prefix != sys.base_prefix else 0)`;

/** Resolves and installs with pip, where uv cannot be had. */
export function pipInstaller(found: CommandPrefix, options: InstallerOptions): Installer {
  const { interpreter, allowSource } = options;
  const pip: CommandPrefix = [...found, '--disable-pip-version-check'];
  const wheels = [...(allowSource ? [] : ['--only-binary', ':all:']), ...onlyFrom(options)];
  return {
    name: 'pip',
    command: found,
    async lock(requirementsFile, lockFile, workingDirectory) {
      const args = ['install', '--quiet', '--dry-run', '--ignore-installed', '--report', '-', ...wheels];
      const { stdout } = await install(pip, [...args, '-r', requirementsFile], options, workingDirectory);
      await writeFile(lockFile, lockOf(stdout), { mode: 0o600 });
    },
    async build(directory, lockFile, workingDirectory) {
      await install([interpreter.path], ['-m', 'venv', '--without-pip', directory], options);
      const args = ['--python', pythonOf(directory), 'install', '--no-deps', '--no-compile', ...wheels];
      await install(
        pip,
        [...args, ...(allowSource ? [] : ['--require-hashes']), '-r', lockFile],
        options,
        workingDirectory,
      );
    },
    async installProject(directory, project) {
      await install(pip, ['--python', pythonOf(directory), 'install', project], options);
    },
  };
}

/**
 * Finds the pip of the interpreter; where it has none, as in environments that uv makes, the one that Python brings along is
 * put into a virtual environment of its own in `toolsDirectory`, once. Nothing of the interpreter's is changed.
 * @throws IngotError `environment-failed` naming the command that installs it, where Python brings none along.
 */
export async function findPip(toolsDirectory: string, options: InstallerOptions): Promise<CommandPrefix> {
  const { path, version, platform } = options.interpreter;
  const own: CommandPrefix = [path, '-m', 'pip'];
  if (await runs(own, options)) return own;
  const name = createHash('sha256').update(`${path} ${version} ${platform}`).digest('hex').slice(0, 16);
  const directory = join(toolsDirectory, `pip-${name}`);
  const brought: CommandPrefix = [pythonOf(directory), '-m', 'pip'];
  if (await runs(brought, options)) return brought;
  options.onLine('making a place for pip');
  await mkdir(toolsDirectory, { recursive: true, mode: 0o700 });
  const temporary = `${directory}-${process.pid}`;
  const { status } = await runCommand(path, ['-m', 'venv', temporary], options);
  if (status === 0) await rename(temporary, directory).catch(() => {}); // another process was faster: its pip is used
  await rm(temporary, { recursive: true, force: true });
  if (await runs(brought, options)) return brought;
  throw await withoutPip(options);
}

async function withoutPip(options: InstallerOptions): Promise<IngotError> {
  const { path, version } = options.interpreter;
  const { status } = await runCommand(path, ['-c', CAN_HAVE_PIP], options);
  const debian = `apt install python${minorOf(version)}-venv python3-pip`;
  return new IngotError('environment-failed', `${path} has neither uv nor pip, so no environment can be made with it`, {
    hint: status === 0 ? `${path} -m ensurepip --user` : status === IN_VENV ? `${path} -m ensurepip` : debian,
  });
}

/** The lock that a report of `pip install --report` stands for. */
export function lockOf(report: string): string {
  const parsed: unknown = JSON.parse(report);
  const entries = isJsonObject(parsed) && Array.isArray(parsed.install) ? parsed.install : [];
  return `${entries.map(lockLine).sort().join('\n')}\n`;
}

function lockLine(entry: JsonValue): string {
  const metadata = objectAt(entry, 'metadata');
  const download = objectAt(entry, 'download_info');
  const hashes = objectAt(objectAt(download, 'archive_info'), 'hashes');
  const isDirect = isJsonObject(entry) && entry.is_direct === true && typeof download.url === 'string';
  const pin = isDirect ? `${metadata.name} @ ${download.url}` : `${metadata.name}==${metadata.version}`;
  return typeof hashes.sha256 === 'string' && !isDirect ? `${pin} --hash=sha256:${hashes.sha256}` : pin;
}

function objectAt(value: JsonValue | undefined, key: string): { readonly [key: string]: JsonValue } {
  const inner = isJsonObject(value) ? value[key] : undefined;
  return isJsonObject(inner) ? inner : {};
}
