import { resolve } from 'node:path';
import { IngotError } from '@ingot/core/errors';
import { parsePlatform, platformOfMachine } from '@ingot/core/oci/platform';
import type { Context, Result } from '../context.ts';
import { redactAddress } from '@ingot/core/blob/address';
import { storeAddress } from '../address.ts';
import { assumedBase, thisMachine } from './assumed-base.ts';
import { type ImageContents, planImage } from './plan-image.ts';
import { writeDockerContext, writeImageFiles, type WrittenFiles } from './write-files.ts';

/**
 * `ingot bake --format dockerfile`: writes a folder that another program builds the image from. `--format files` writes
 * what belongs to the model alone, within a step of such a build.
 */
export async function bakeFiles(
  form: 'dockerfile' | 'files',
  contents: ImageContents,
  context: Context,
): Promise<Result> {
  const { arguments: given, settings, progress, signal } = context;
  const output = given.text('output');
  if (output === undefined || output === '')
    throw new IngotError('usage', 'say where the files go with -o', { hint: `ingot bake … --format ${form} -o DIR` });
  const platforms = given.list('platform').flatMap((text) => text.split(','));
  if (platforms.length > 1)
    throw new IngotError('usage', `--format ${form} is for one platform`, { operation: 'bake' });
  const platform = platforms[0] === undefined ? platformOfMachine() : parsePlatform(platforms[0]);
  const options = { directory: resolve(context.cwd, output), onProgress: progress.onProgress, signal };
  const plan = planImage(contents, context);
  if (form === 'files') {
    const base = await thisMachine(platform, { python: given.text('python'), environment: context.env });
    return told(await writeImageFiles(plan, { ...options, base }));
  }
  const named = settings.text('bake-base');
  if (named === undefined)
    throw new IngotError('usage', 'say what the image stands on with --base', {
      operation: 'bake',
      hint: '--base python:3.11-slim',
    });
  const [only, ...others] = contents.models;
  return told(
    await writeDockerContext(plan, {
      ...options,
      base: assumedBase(named, platform, given.text('python')),
      ...(only !== undefined &&
        others.length === 0 && {
          download: {
            reference: only.called,
            registry: redactAddress(storeAddress(settings).text),
            words: wordsAgain(context),
            allowHttp: settings.isOn('allow-http'),
          },
        }),
    }),
  );
}

/** Flags that the step of the build needs as well. */
function wordsAgain({ arguments: given }: Context): readonly string[] {
  const python = given.text('python');
  return [
    ...(given.isOn('without-setup') ? ['--without-setup'] : []),
    ...(python === undefined ? [] : ['--python', python]),
  ];
}

function told({ directory, files, withoutDownload }: WrittenFiles): Result {
  return {
    json: { directory, files, ...(withoutDownload !== undefined && { withoutDownload }) },
    quiet: [directory],
    human: () => `${directory}\n${files.map((file) => `  ${file}\n`).join('')}`,
    notes: [
      ...(files.includes('Dockerfile') ? [`next: docker build -t NAME ${directory}`] : []),
      ...(withoutDownload === undefined ? [] : [`no Dockerfile.download: ${withoutDownload}`]),
    ],
  };
}
