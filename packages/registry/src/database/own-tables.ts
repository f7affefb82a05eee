import type { AccessTables } from '../access/tables.ts';
import type { ArtifactTables } from '../artifacts/tables.ts';
import type { AuditTables } from '../audit/tables.ts';
import type { ContentTables } from '../contents/tables.ts';
import type { DeploymentTables } from '../deployments/tables.ts';
import type { GovernanceTables } from '../governance/tables.ts';
import type { IdempotencyTables } from '../idempotency/tables.ts';
import type { OciBlobTables } from '../oci/blob-tables.ts';
import type { OciManifestTables } from '../oci/manifest-tables.ts';
import type { TrackingTables } from '../tracking/tables.ts';
import type { WebhookTables } from '../webhooks/tables.ts';

/** Tables of what is only the server's. */
export type OwnTables = AccessTables &
  ArtifactTables &
  AuditTables &
  ContentTables &
  DeploymentTables &
  GovernanceTables &
  IdempotencyTables &
  OciBlobTables &
  OciManifestTables &
  TrackingTables &
  WebhookTables;
