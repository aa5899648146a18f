import { createRequire } from "node:module";

/** The version of this package. */
export const version: string = versionHere();

function versionHere(): string {
  try {
    // In a bundle there is no such file.
    const { name, version: found } = createRequire(import.meta.url)("../package.json") as Record<
      string,
      string
    >;
    return name === "@perdure/dashboard" && found !== undefined ? found : "";
  } catch {
    return "";
  }
}
