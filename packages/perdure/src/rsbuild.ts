/** `perdure/rsbuild`: the compiler as a plugin. */
export { default, type PluginOptions, type RsbuildPlugin } from "@perdure/compiler/rsbuild";
