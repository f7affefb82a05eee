import type { Upload } from './content/content-store.ts';
import { digestOf } from './digest.ts';
import { captureBytes } from './package/captured.ts';
import { isModelCard, writeModelCard } from './package/model-card.ts';
import type { PackagePlan } from './package/package.ts';
import type { PushOptions } from './push.ts';
import { merged } from './push-draft.ts';

/** Adds a generated model card to what was captured, unless the package brings one of its own. */
export function withCard<T extends Pick<PushOptions, 'captured' | 'metrics'>>(plan: PackagePlan, options: T): T {
  const { captured } = options;
  if (captured === undefined || captured.card !== undefined || plan.files.some(({ path }) => isModelCard(path)))
    return options;
  const { name, flavor, executesCode, metadata, signature } = plan;
  const card = writeModelCard({
    name,
    flavor,
    executesCode,
    signature,
    captured,
    description: metadata?.description,
    author: metadata?.author ?? captured.author,
    metrics: merged(captured.metrics, options.metrics),
    params: merged(metadata?.hyperparameters, captured.params),
  });
  return { ...options, captured: { ...captured, card } };
}

/** Adds what describes the package; it comes after the files. */
export async function putDocuments(
  upload: Upload,
  plan: PackagePlan,
  options: Pick<PushOptions, 'captured' | 'signal'>,
): Promise<void> {
  const documents = [
    { role: 'config' as const, bytes: plan.config },
    ...(options.captured === undefined ? [] : [{ role: 'captured' as const, bytes: captureBytes(options.captured) }]),
    { role: 'manifest' as const, bytes: plan.manifest },
  ];
  const { signal } = options;
  await Promise.all(
    documents.map(({ role, bytes }) =>
      upload.put(
        { role, digest: digestOf(bytes), sizeBytes: bytes.length, open: () => once(bytes) },
        { ...(signal && { signal }) },
      ),
    ),
  );
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
