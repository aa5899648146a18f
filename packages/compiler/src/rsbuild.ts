/** The compiler as an Rsbuild plugin. */
import { createUnplugin } from "unplugin";
import { factory, type PluginOptions } from "./plugin.ts";

export type { PluginOptions };

/** An Rsbuild plugin, as far as this package's types go: they must hold where Rsbuild is not installed. */
export interface RsbuildPlugin {
  readonly name: string;
  setup(api: object): void | Promise<void>;
}

/**
 * Compiles directives in an Rsbuild or Rslib build.
 *
 * @example
 * import perdure from "@perdure/compiler/rsbuild";
 *
 * export default {
 *   source: { entry: { app: "./src/app.ts" } },
 *   output: { target: "node" },
 *   plugins: [perdure()],
 * };
 */
const perdure: (options?: PluginOptions) => RsbuildPlugin = createUnplugin(factory).rsbuild;

export default perdure;
