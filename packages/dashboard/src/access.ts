import type { Connection } from "@perdure/http/node";
import { ApiFailure, ProgramFailure } from "./answers.ts";
import type { Terms } from "./options.ts";

/** Who may look, and which requests may change something. */

/**
 * Lets a request pass, or gives the answer to it.
 *
 * @throws {ApiFailure} 403
 */
export async function admit(
  request: Request,
  connection: Connection,
  { authorize }: Terms,
): Promise<Response | null> {
  if (authorize === null) return null;
  if (authorize === "loopback") {
    if (isOfThisMachine(request, connection)) return null;
    throw new ApiFailure(
      403,
      "forbidden",
      "This dashboard is only for the machine that it runs on. To let others look, pass createDashboard() a function as authorize.",
    );
  }
  try {
    const answer = await authorize(request);
    if (answer === true) return null;
    // Not by its class: a server may bring a Response of its own.
    if (typeof answer === "object" && answer !== null && "status" in answer) return answer;
  } catch (cause) {
    throw new ProgramFailure("authorize failed: nobody may look who makes it fail.", { cause });
  }
  throw new ApiFailure(403, "forbidden", "You may not look at this dashboard.");
}

/** Proxies add these: the client is elsewhere then, whatever the connection says. */
const FORWARDED = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"];

/** Whether a request was sent on this machine, to a name of this machine: a page of another site can name it otherwise. */
function isOfThisMachine(request: Request, { remoteAddress }: Connection): boolean {
  const { hostname } = new URL(request.url);
  return (
    isLoopback(hostname) &&
    (remoteAddress === undefined || isLoopback(remoteAddress)) &&
    !FORWARDED.some((name) => request.headers.has(name))
  );
}

/** Whether a host name or an address means the machine itself. */
function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[(.*)\]$/, "$1");
  return (
    name === "localhost" ||
    name.endsWith(".localhost") ||
    name === "::1" ||
    /^(::ffff:)?127\.\d+\.\d+\.\d+$/.test(name)
  );
}

/**
 * Refuses a request that would change something and did not come from the dashboard's own page, or a program that means it.
 *
 * @throws {ApiFailure} 403, 415
 */
export function checkAct(request: Request, { readOnly }: Terms): void {
  if (readOnly) {
    throw new ApiFailure(403, "read_only", "This dashboard only shows: nothing can be changed with it.");
  }
  if (!isOfOwnOrigin(request)) {
    throw new ApiFailure(
      403,
      "forbidden",
      "The request comes from a page of another site: nothing was done.",
    );
  }
  const type = request.headers.get("content-type")?.split(";", 1)[0]?.trim().toLowerCase();
  if (type !== "application/json") {
    throw new ApiFailure(415, "bad_request", "Send the request with content-type: application/json.");
  }
}

/** A browser says where a page is from; other programs say nothing. */
function isOfOwnOrigin({ headers, url }: Request): boolean {
  const site = headers.get("sec-fetch-site");
  // No page can set it. Unlike the origin it is right behind a proxy that gives the server another name.
  if (site !== null) return site === "same-origin";
  const origin = headers.get("origin");
  if (origin === null) return true;
  return URL.canParse(origin) && new URL(origin).host === (headers.get("host") ?? new URL(url).host);
}
