/** `perdure/vite`: the compiler as a plugin. */
export { default, type PluginOptions } from "@perdure/compiler/vite";
