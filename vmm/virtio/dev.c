/* dev.c - the part of a virtio device that is the same for all of them; see virtio.h. */
#include "vmm/virtio/virtio.h"

static void no_interrupt(struct virtio_dev *dev, uint16_t queue)
{
    (void)dev;
    (void)queue;
}

static void nothing(struct virtio_dev *dev)
{
    (void)dev;
}

void virtio_dev_init(struct virtio_dev *dev, const struct virtio_ops *ops, struct host *host,
                     struct virtq *queues, uint16_t nqueues)
{
    *dev = (struct virtio_dev){
        .ops = ops,
        .host = host,
        .queues = queues,
        .nqueues = nqueues,
        .interrupt = no_interrupt,
        .config_changed = nothing,
        .stopped = nothing,
        .serve = nothing,
    };
    pthread_mutex_init(&dev->lock, NULL);
}

void virtio_dev_fini(struct virtio_dev *dev)
{
    pthread_mutex_destroy(&dev->lock);
}

void virtio_dev_lock(struct virtio_dev *dev)
{
    pthread_mutex_lock(&dev->lock);
}

void virtio_dev_unlock(struct virtio_dev *dev)
{
    pthread_mutex_unlock(&dev->lock);
}
