/** The compiler as an esbuild plugin; tsup takes it under `esbuildPlugins`. */
import { createUnplugin } from "unplugin";
import { factory, type PluginOptions } from "./plugin.ts";

export type { PluginOptions };

/** An esbuild plugin, as far as this package's types go: they must hold where esbuild is not installed. */
export interface EsbuildPlugin {
  readonly name: string;
  setup(build: object): void | Promise<void>;
}

/**
 * Compiles directives in an esbuild or tsup build.
 *
 * @example
 * import perdure from "@perdure/compiler/esbuild";
 * import { build } from "esbuild";
 *
 * await build({ entryPoints: ["src/app.ts"], bundle: true, platform: "node", format: "esm", plugins: [perdure()] });
 */
const perdure: (options?: PluginOptions) => EsbuildPlugin = createUnplugin(factory).esbuild;

export default perdure;
