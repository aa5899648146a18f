/** The compiler as a Rollup plugin. */
import { createUnplugin } from "unplugin";
import { factory, type PluginOptions } from "./plugin.ts";

export type { PluginOptions };

/** A Rollup plugin, as far as this package's types go: they must hold where Rollup is not installed. */
export interface RollupPlugin {
  readonly name: string;
}

/**
 * Compiles directives in a Rollup build. It compiles TypeScript as it stands, and strips no types: the plugin that does comes after it.
 *
 * @example
 * import perdure from "@perdure/compiler/rollup";
 *
 * export default { input: "src/app.js", plugins: [perdure()], external: /^[^./]/, output: { dir: "dist" } };
 */
const perdure: (options?: PluginOptions) => RollupPlugin = createUnplugin(factory).rollup;

export default perdure;
