import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { testServer } from '../../../../scripts/lib/servers/test-servers.mjs';

/** Judges files of pipelines by the schema that their maker publishes. */
export interface PipelineJudge {
  /** Says what is wrong with a file; empty when nothing is. */
  check(kind: 'github-workflows' | 'gitlab-ci', path: string): Promise<string>;
  close(): Promise<void>;
}

/** Finds check-jsonschema, which brings the schemas along; for `needServer`, which has nothing to close. */
export async function findPipelineJudge(): Promise<PipelineJudge> {
  const program = join(await testServer('check-jsonschema'), 'bin/check-jsonschema');
  return {
    async check(kind, path) {
      const words = ['--builtin-schema', `vendor.${kind}`, path];
      // What GitLab's own tags mean is no matter of YAML.
      const call = promisify(execFile)(
        program,
        kind === 'gitlab-ci' ? ['--data-transform', 'gitlab-ci', ...words] : words,
      );
      return await call.then(
        () => '',
        (error: unknown) => (error instanceof Error && 'stdout' in error ? String(error.stdout) : String(error)),
      );
    },
    close: async () => {},
  };
}
