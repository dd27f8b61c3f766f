/** What the API server answers: a value, or a failure that the caller decides about (404 and 409 are everyday events). */

export interface ApiFailure {
  ok: false;
  /** HTTP status; 0 if there was no answer (connection, time-out) or nothing was sent (fenced). */
  code: number;
  /** Kubernetes' reason ("NotFound", "AlreadyExists", "Conflict", "Expired"…), or "NoAnswer", "Fenced". */
  reason: string;
  message: string;
  /** Seconds that the server asks to wait (429, 503). */
  retryAfterSeconds?: number;
}

export type ApiResult<T> = { ok: true; value: T } | ApiFailure;

/** Thrown where a reconcile cannot go on; the work queue tries again. */
export class ApiError extends Error {
  constructor(
    readonly failure: ApiFailure,
    what: string,
  ) {
    super(`${what}: the API server says ${failure.code || "nothing"} ${failure.reason}: ${failure.message}`);
    this.name = "ApiError";
  }
}

/** The value, or an ApiError that says what was tried. */
export function must<T>(result: ApiResult<T>, what: string): T {
  if (!result.ok) throw new ApiError(result, what);
  return result.value;
}
