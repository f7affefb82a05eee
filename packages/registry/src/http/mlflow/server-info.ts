import type { MlflowRoute } from './mlflow-route.ts';

/** The release of MLflow whose protocol is spoken. */
export const MLFLOW_RELEASE = '3.17.2';

/** What the artifact transfer of this server can do: clients then send and fetch large files in parts. */
export interface TransferAbilities {
  readonly multipartUploads: boolean;
  readonly multipartDownloads: boolean;
  readonly presignedUploads: boolean;
}

/** Says what the server can do. */
export function serverInfoRoute(abilities: TransferAbilities): MlflowRoute {
  const info = {
    store_type: 'SqlStore',
    workspaces_enabled: false,
    trace_archival_enabled: false,
    multipart_uploads_enabled: abilities.multipartUploads,
    multipart_downloads_enabled: abilities.multipartDownloads,
    presigned_upload_run_id_supported: abilities.presignedUploads,
    presigned_upload_model_id_supported: abilities.presignedUploads,
  };
  return { method: 'GET', path: '/server-info', access: 'public', run: () => info };
}
