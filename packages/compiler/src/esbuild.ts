/** The compiler as an esbuild plugin; tsup takes it under `esbuildPlugins`. */
import type { Plugin } from "esbuild";
import { createUnplugin } from "unplugin";
import { factory, type PluginOptions } from "./plugin.ts";

export type { PluginOptions };

/**
 * Compiles directives in an esbuild or tsup build.
 *
 * @example
 * await build({ entryPoints: ["src/app.ts"], bundle: true, platform: "node", format: "esm", plugins: [perdure()] });
 */
const perdure: (options?: PluginOptions) => Plugin = createUnplugin(factory).esbuild;

export default perdure;
