import { writeFile } from 'node:fs/promises';
import { IngotError } from '@ingot/core/errors';
import { isJsonObject, type JsonValue } from '@ingot/core/json';
import { type CommandPrefix, type Installer, type InstallerOptions, install, runs } from './installer.ts';
import { minorOf } from './interpreter.ts';
import { runCommand } from './run-command.ts';
import { pythonOf } from './uv.ts';

/** What Python exits with when it brings pip along and is a virtual environment, which refuses `--user`. */
const IN_VENV = 3;
const CAN_HAVE_PIP = `import ensurepip, sys; sys.exit(${IN_VENV} if sys.prefix != sys.base_prefix else 0)`;

/** Resolves and installs with pip, where uv cannot be had. */
export function pipInstaller(options: InstallerOptions): Installer {
  const { interpreter, allowSource } = options;
  const pip: CommandPrefix = [interpreter.path, '-m', 'pip', '--disable-pip-version-check'];
  const wheels = allowSource ? [] : ['--only-binary', ':all:'];
  return {
    name: 'pip',
    async lock(requirementsFile, lockFile, workingDirectory) {
      await needPip(pip, options);
      const args = ['install', '--quiet', '--dry-run', '--ignore-installed', '--report', '-', ...wheels];
      const { stdout } = await install(pip, [...args, '-r', requirementsFile], options, workingDirectory);
      await writeFile(lockFile, lockOf(stdout), { mode: 0o600 });
    },
    async build(directory, lockFile, workingDirectory) {
      await needPip(pip, options);
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

async function needPip(pip: CommandPrefix, options: InstallerOptions): Promise<void> {
  if (await runs(pip, options)) return;
  const { path, version } = options.interpreter;
  const { status } = await runCommand(path, ['-c', CAN_HAVE_PIP], options);
  const debian = `apt install python${minorOf(version)}-venv python3-pip`;
  throw new IngotError('environment-failed', `${path} has neither uv nor pip, so no environment can be made with it`, {
    hint: status === 0 ? `${path} -m ensurepip --user` : status === IN_VENV ? `${path} -m ensurepip` : debian,
  });
}

function lockOf(report: string): string {
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
