/**
 * Who asks (*identity*), what they may do (*permission*), and where (*target*). A *role* is a set of permissions; a
 * *grant* gives a role for the server, a namespace, a model, or only some aliases of these.
 */

import type { ModelName } from '@ingot/core/ref';
import type { RepositoryName } from '../oci/repository.ts';

/** What a request may need. Roles: reader has `read`; pusher adds `push`; promoter adds `promote`; admin has all. */
export type Permission = 'read' | 'push' | 'promote' | 'admin';

/** What a request acts on. */
export type Target =
  | { readonly kind: 'server' }
  | { readonly kind: 'model'; readonly model: ModelName | RepositoryName; readonly alias?: string };

/** Where a request came from, for the record of what was denied. */
export interface RequestOrigin {
  /** Of the other end of the connection. */
  readonly address: string;
  readonly method: string;
  /** The route as it was declared: `/api/v1/models/:name`. */
  readonly route: string;
}

/** Who asks. */
export interface Identity {
  /** `user`: signed in with a password or OIDC; `token`: a service token; `open`: the server has no accounts and listens on loopback. */
  readonly kind: 'user' | 'token' | 'open' | 'nobody';
  /** As the history shows it: `ana`, `token:ci`. */
  readonly name: string;
  /** Whether somebody has proved to be that; what an `open` server says is only claimed. */
  readonly authenticated: boolean;
  /**
   * Whose grants count: `account:<id>`, `token:<id>`, `workload:<digest>`. Looked up again whenever it is asked what the
   * identity may do, so that a stream which stays open loses what was revoked. Default: nobody's.
   */
  readonly subject?: string;
  /** The account behind it, where there is one. */
  readonly account?: string;
  /** What a token narrows it to that was given for some repositories. Default: whatever the subject may. */
  readonly limit?: (permission: Permission, target: Target) => boolean;
  /** Default: it is no request of anybody. */
  readonly origin?: RequestOrigin;
}

/** Decides what an identity may do. */
export interface Authorizer {
  /** Whether it may; asked before rows are shown, so that names nobody granted do not leak. Never throws. */
  may(identity: Identity, permission: Permission, target: Target): boolean;
  /**
   * Refuses what it may not.
   * @throws IngotError `unauthenticated` (nobody), `model-not-found` (may not even read it), `forbidden`.
   */
  check(identity: Identity, permission: Permission, target: Target): void;
}
