import { processWide } from "./process-wide.ts";

/** Where this program is reached from outside. */

const LOCAL = "http://localhost:3000";

const places: { url: string | undefined } = processWide("public-url", () => ({ url: undefined }));

/**
 * Sets where the program is reached; `undefined` is the default.
 *
 * @throws {TypeError} for what is no URL
 */
export function setPublicUrl(url: string | undefined): void {
  if (url !== undefined && !/^https?:$/.test(URL.parse(url)?.protocol ?? "")) {
    throw new TypeError(`configure({ url }): must be an http or https URL, got ${JSON.stringify(url)}.`);
  }
  places.url = url;
}

/** Where the program is reached, without a slash at its end: `configure({ url })`, else `PERDURE_URL`, else this machine. */
export function publicUrl(): string {
  return (places.url ?? process.env.PERDURE_URL ?? LOCAL).replace(/\/+$/, "");
}
