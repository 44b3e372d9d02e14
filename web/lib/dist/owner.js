/**
 * Says who looks after the commands in a store that several tabs share. Every
 * client holds a lock of its own while it lives; whose lock is free is gone, and
 * another one takes its commands over. Where there are no locks everybody sends
 * everything: a command may go out twice then, and is done once all the same,
 * since its uniqueNo is one.
 */
export class Owner {
    environment;
    store;
    user;
    found;
    failed;
    id;
    over = new AbortController();
    watched = new Set();
    constructor(environment, store, user, found, failed) {
        this.environment = environment;
        this.store = store;
        this.user = user;
        this.found = found;
        this.failed = failed;
        this.id = environment.newId();
        this.request(this.id, () => new Promise((resolve) => this.over.signal.addEventListener('abort', () => resolve())));
    }
    /** Gives the commands that nobody else looks after, and goes on to take over those of tabs that end. */
    adopt(commands) {
        if (!this.environment.locks)
            return [...commands];
        const owners = [...new Set(commands.map((command) => command.owner))].filter((owner) => owner !== this.id && !this.watched.has(owner));
        return Promise.all(owners.map((owner) => this.takeOver(owner))).then((taken) => taken.flat().sort((a, b) => a.at - b.at));
    }
    /** From now on others take over. */
    stop() {
        this.over.abort();
    }
    request(owner, action) {
        const { signal } = this.over;
        this.environment.locks?.request(this.lock(owner), { signal }, action).catch((error) => {
            if (!signal.aborted)
                this.failed(error);
        });
    }
    lock(owner) {
        return `lishi/${this.user}/${owner}`;
    }
    async takeOver(owner) {
        this.watched.add(owner);
        let taken;
        await this.environment.locks.request(this.lock(owner), { ifAvailable: true }, async (lock) => {
            if (lock)
                taken = await this.take(owner);
        });
        if (taken)
            return taken;
        this.request(owner, async () => this.found(await this.take(owner)));
        return [];
    }
    async take(owner) {
        const { commands } = await this.store.load(this.user);
        const theirs = commands.filter((command) => command.owner === owner).map((command) => ({ ...command, owner: this.id }));
        for (const command of theirs)
            await this.store.put(this.user, command);
        this.watched.delete(owner);
        return theirs;
    }
}
