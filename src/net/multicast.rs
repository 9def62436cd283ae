//! Groups, which a datagram can be sent to.

use core::net::{Ipv4Addr, Ipv6Addr};

use super::UdpSocket;
use crate::Result;
use crate::fd::AsFd;
use crate::sys::{
    self, IP_ADD_MEMBERSHIP, IP_DROP_MEMBERSHIP, IP_MULTICAST_LOOP, IP_MULTICAST_TTL, IPPROTO_IP,
    IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, IPV6_DROP_MEMBERSHIP, IPV6_MULTICAST_LOOP,
};

impl UdpSocket {
    /// Joins a group: what is sent to it arrives here too. `interface` is an address of
    /// the interface to join on, or unspecified, which leaves it to the kernel.
    ///
    /// # Errors
    ///
    /// - `EINVAL`: not the address of a group.
    /// - `ENODEV`: no such interface, or no way to the group.
    /// - `EADDRINUSE`: a member already.
    /// - `ENOBUFS`: the limit `/proc/sys/net/ipv4/igmp_max_memberships`.
    #[doc(alias = "IP_ADD_MEMBERSHIP")]
    pub fn join_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> Result<()> {
        sys::setsockopt_ip_mreq(self.as_fd(), IP_ADD_MEMBERSHIP, *group, *interface)
    }

    /// Leaves a group.
    ///
    /// # Errors
    ///
    /// - `EADDRNOTAVAIL`: not a member.
    /// - `ENODEV`: no such interface.
    #[doc(alias = "IP_DROP_MEMBERSHIP")]
    pub fn leave_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> Result<()> {
        sys::setsockopt_ip_mreq(self.as_fd(), IP_DROP_MEMBERSHIP, *group, *interface)
    }

    /// Joins a group on the interface of this number; 0 leaves it to the kernel.
    ///
    /// # Errors
    ///
    /// - `EINVAL`: not the address of a group.
    /// - `ENODEV`: no such interface, or no way to the group.
    /// - `EADDRINUSE`: a member already.
    /// - `ENOPROTOOPT`: not an IPv6 socket.
    #[doc(alias = "IPV6_ADD_MEMBERSHIP")]
    pub fn join_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> Result<()> {
        sys::setsockopt_ipv6_mreq(self.as_fd(), IPV6_ADD_MEMBERSHIP, *group, interface)
    }

    /// Leaves a group.
    ///
    /// # Errors
    ///
    /// - `EADDRNOTAVAIL`: not a member.
    /// - `ENODEV`: no such interface.
    /// - `ENOPROTOOPT`: not an IPv6 socket.
    #[doc(alias = "IPV6_DROP_MEMBERSHIP")]
    pub fn leave_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> Result<()> {
        sys::setsockopt_ipv6_mreq(self.as_fd(), IPV6_DROP_MEMBERSHIP, *group, interface)
    }

    /// Whether members on this machine hear what is sent from here to a group over IPv4;
    /// they do until it is set.
    ///
    /// # Errors
    ///
    /// None that a healthy kernel gives.
    #[doc(alias = "IP_MULTICAST_LOOP")]
    pub fn set_multicast_loop_v4(&self, looped: bool) -> Result<()> {
        self.set(IPPROTO_IP, IP_MULTICAST_LOOP, looped.into())
    }

    /// Whether members on this machine hear what is sent from here over IPv4.
    ///
    /// # Errors
    ///
    /// None that a healthy kernel gives.
    #[doc(alias = "IP_MULTICAST_LOOP")]
    pub fn multicast_loop_v4(&self) -> Result<bool> {
        self.is_on(IPPROTO_IP, IP_MULTICAST_LOOP)
    }

    /// Whether members on this machine hear what is sent from here to a group over IPv6;
    /// they do until it is set.
    ///
    /// # Errors
    ///
    /// - `ENOPROTOOPT`: not an IPv6 socket.
    #[doc(alias = "IPV6_MULTICAST_LOOP")]
    pub fn set_multicast_loop_v6(&self, looped: bool) -> Result<()> {
        self.set(IPPROTO_IPV6, IPV6_MULTICAST_LOOP, looped.into())
    }

    /// Whether members on this machine hear what is sent from here over IPv6.
    ///
    /// # Errors
    ///
    /// - `ENOPROTOOPT`, `EOPNOTSUPP`: not an IPv6 socket.
    #[doc(alias = "IPV6_MULTICAST_LOOP")]
    pub fn multicast_loop_v6(&self) -> Result<bool> {
        self.is_on(IPPROTO_IPV6, IPV6_MULTICAST_LOOP)
    }

    /// How many routers a datagram to a group may pass over IPv4; 1, and so none, until
    /// it is set.
    ///
    /// # Errors
    ///
    /// - `EINVAL`: above 255.
    #[doc(alias = "IP_MULTICAST_TTL")]
    pub fn set_multicast_ttl_v4(&self, ttl: u32) -> Result<()> {
        let ttl = ttl.try_into().unwrap_or(i32::MAX);
        self.set(IPPROTO_IP, IP_MULTICAST_TTL, ttl)
    }

    /// How many routers a datagram to a group may pass over IPv4.
    ///
    /// # Errors
    ///
    /// None that a healthy kernel gives.
    #[doc(alias = "IP_MULTICAST_TTL")]
    pub fn multicast_ttl_v4(&self) -> Result<u32> {
        Ok(self.get(IPPROTO_IP, IP_MULTICAST_TTL)?.unsigned_abs())
    }
}
