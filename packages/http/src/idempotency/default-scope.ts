/**
 * Whose key it is, where the program does not say: the client is known by a credential that it sends with every request. One that
 * changes from request to request would make a repetition look like another client's request, and execute it again; so where the
 * credential is not known to stay, nothing is guessed.
 */

/** The request has no credential that could name its client. */
export class NoScopeError extends Error {
  constructor(found: string) {
    super(
      `idempotent() cannot tell which client a request is from: ${found}. Pass scope: (request) => …, which gives what names the client for as ` +
        "long as its keys live, such as the id of the account that it has signed in to.",
    );
    this.name = "NoScopeError";
  }
}

/**
 * The credential of a request: `Authorization: Basic`, an opaque `Authorization: Bearer` (an API key), `X-Api-Key`.
 *
 * @throws {NoScopeError} where there is none, or one that is exchanged now and then
 */
export function defaultScope(request: Request): string {
  const authorization = request.headers.get("authorization");
  const apiKey = request.headers.get("x-api-key");
  if (authorization === null && apiKey === null) {
    throw new NoScopeError("it has neither an Authorization nor an X-Api-Key header");
  }
  if (authorization !== null) checkStays(authorization);
  return JSON.stringify([authorization, apiKey]);
}

function checkStays(authorization: string): void {
  const [scheme = "", credential = ""] = authorization.trim().split(/\s+/, 2);
  const name = scheme.toLowerCase();
  if (name !== "basic" && name !== "bearer") {
    throw new NoScopeError("its Authorization header is of a scheme that may change with every request");
  }
  if (credential === "") throw new NoScopeError("its Authorization header is empty");
  if (name === "bearer" && isJwt(credential)) {
    throw new NoScopeError("its bearer token is a JWT, which is exchanged when it expires");
  }
}

/** Three or five parts in base64url (signed or encrypted), of which the first is a JSON object. */
function isJwt(token: string): boolean {
  const parts = token.split(".");
  if (parts.length !== 3 && parts.length !== 5) return false;
  try {
    const header: unknown = JSON.parse(Buffer.from(parts[0] ?? "", "base64url").toString("utf8"));
    return typeof header === "object" && header !== null;
  } catch {
    return false;
  }
}
