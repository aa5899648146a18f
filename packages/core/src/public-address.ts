import { processWide } from "./process-wide.ts";

/** Where this program is reached from outside: what the URLs of webhooks begin with. */

/** The path before a webhook's token, unless `configure({ webhookPath })` says otherwise; that of the Workflow SDK. */
export const WEBHOOK_PATH = "/.well-known/workflow/v1/webhook";

const LOCAL = "http://localhost:3000";

interface Places {
  url: string | undefined;
  webhookPath: string | undefined;
}

const places: Places = processWide("public-address", () => ({ url: undefined, webhookPath: undefined }));

/**
 * Sets where the program is reached; `undefined` is the default.
 *
 * @throws {TypeError} for what is no URL or path
 */
export function setPublicUrl(url: string | undefined, webhookPath: string | undefined): void {
  if (url !== undefined && !/^https?:$/.test(URL.parse(url)?.protocol ?? "")) {
    throw new TypeError(`configure({ url }): must be an http or https URL, got ${JSON.stringify(url)}.`);
  }
  if (webhookPath !== undefined && !/^\/[^?#]*$/.test(webhookPath)) {
    throw new TypeError(
      `configure({ webhookPath }): must be a path that begins with "/", got ${JSON.stringify(webhookPath)}.`,
    );
  }
  places.url = url;
  places.webhookPath = webhookPath;
}

/** Where the program is reached, without a slash at its end: `configure({ url })`, else `PERDURE_URL`, else this machine. */
export function publicUrl(): string {
  return (places.url ?? process.env.PERDURE_URL ?? LOCAL).replace(/\/+$/, "");
}

/** The URL of the webhook with this token. */
export function webhookUrl(token: string): string {
  const path = (places.webhookPath ?? WEBHOOK_PATH).replace(/\/+$/, "");
  return `${publicUrl()}${path}/${encodeURIComponent(token)}`;
}
