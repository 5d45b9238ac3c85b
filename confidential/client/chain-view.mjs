/** The chain's view for Node, where it is installed as a package. */
import '../typescript.mjs';

export const { connectChainView, createChainView } = await import('./chain-view.ts');
