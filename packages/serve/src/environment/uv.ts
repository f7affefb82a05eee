import { join } from 'node:path';
import { type CommandPrefix, type Installer, type InstallerOptions, install, onlyFrom } from './installer.ts';

/** Resolves and installs with uv. */
export function uvInstaller(uv: CommandPrefix, given: InstallerOptions): Installer {
  const options = { ...given, environment: withPipSettings(given.environment) };
  const { interpreter, allowSource } = options;
  const isolated = ['--no-python-downloads'];
  const wheels = [...(allowSource ? [] : ['--only-binary', ':all:']), ...onlyFrom(given)];
  const hashes = allowSource ? [] : ['--generate-hashes'];
  return {
    name: 'uv',
    command: uv,
    async lock(requirementsFile, lockFile, workingDirectory) {
      const args = ['pip', 'compile', ...isolated, '--quiet', '--no-header', '--python', interpreter.path];
      const output = [...hashes, ...wheels, '--output-file', lockFile, requirementsFile];
      await install(uv, [...args, ...output], options, workingDirectory);
    },
    async build(directory, lockFile, workingDirectory) {
      await install(uv, ['venv', ...isolated, '--quiet', '--python', interpreter.path, directory], options);
      const args = ['pip', 'sync', ...isolated, '--python', pythonOf(directory), ...wheels];
      // Not compiled: most of what is installed is never imported, and Python keeps the bytecode of what is.
      const verified = allowSource ? [] : ['--require-hashes'];
      // A lock may be empty of packages (requirements whose markers exclude this machine).
      await install(uv, [...args, ...verified, '--allow-empty-requirements', lockFile], options, workingDirectory);
    },
    async installProject(directory, project) {
      await install(uv, ['pip', 'install', ...isolated, '--python', pythonOf(directory), project], options);
    },
  };
}

/** uv does not read pip's variables; what a machine sets for pip (an index, a certificate) is meant for it as well. */
export function withPipSettings(environment: InstallerOptions['environment']): InstallerOptions['environment'] {
  return {
    ...environment,
    UV_DEFAULT_INDEX: environment.UV_DEFAULT_INDEX ?? environment.UV_INDEX_URL ?? environment.PIP_INDEX_URL,
    UV_INDEX: environment.UV_INDEX ?? environment.PIP_EXTRA_INDEX_URL,
    UV_FIND_LINKS: environment.UV_FIND_LINKS ?? environment.PIP_FIND_LINKS,
    SSL_CERT_FILE: environment.SSL_CERT_FILE ?? environment.PIP_CERT,
    // The machine's own trust store, as pip has it: a company's proxy is in there and not in uv's. Older releases know the second name.
    UV_SYSTEM_CERTS: environment.UV_SYSTEM_CERTS ?? 'true',
    UV_NATIVE_TLS: environment.UV_NATIVE_TLS ?? environment.UV_SYSTEM_CERTS ?? 'true',
  };
}

/** The interpreter of a virtual environment. */
export function pythonOf(directory: string): string {
  return join(directory, 'bin', 'python');
}
