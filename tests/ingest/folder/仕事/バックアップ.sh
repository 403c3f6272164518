#!/bin/sh
# 毎晩二時に、写真と書類を外付けのディスクに写す
# 三十日より前の控えは消す
rsync -a --delete "$HOME/Pictures" /mnt/disk/
find /mnt/disk/old -mtime +30 -delete
