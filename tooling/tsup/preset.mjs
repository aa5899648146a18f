import { threadModules } from "./thread-modules.mjs";

/**
 * The one way our packages are built: ESM, one file per export, declarations beside it.
 *
 * @param {Record<string, string>} entry export name → source file
 * @returns {import("tsup").Options}
 */
export function preset(entry) {
  return {
    entry,
    format: "esm",
    target: "node22",
    platform: "node",
    dts: true,
    sourcemap: true,
    clean: true,
    splitting: true,
    // esbuild strips the `node:` prefix by default; `node:sqlite` has no bare name.
    removeNodeProtocol: false,
    esbuildPlugins: [threadModules],
  };
}
