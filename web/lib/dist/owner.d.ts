import type { Environment } from './environment.ts';
import type { KeptCommand, Store } from './store.ts';
/**
 * Says who looks after the commands in a store that several tabs share. Every
 * client holds a lock of its own while it lives; whose lock is free is gone, and
 * another one takes its commands over. Where there are no locks everybody sends
 * everything: a command may go out twice then, and is done once all the same,
 * since its uniqueNo is one.
 */
export declare class Owner {
    private readonly environment;
    private readonly store;
    private readonly user;
    private readonly found;
    private readonly failed;
    readonly id: string;
    private readonly over;
    private readonly watched;
    constructor(environment: Environment, store: Store, user: string, found: (commands: KeptCommand[]) => void, failed: (error: unknown) => void);
    /** Gives the commands that nobody else looks after, and goes on to take over those of tabs that end. */
    adopt(commands: readonly KeptCommand[]): KeptCommand[] | Promise<KeptCommand[]>;
    /** From now on others take over. */
    stop(): void;
    private request;
    private lock;
    private takeOver;
    private take;
}
